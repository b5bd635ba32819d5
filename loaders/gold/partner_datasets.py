"""A dataset for each partner on BigQuery, where gold itself is read where dbt builds it.

Gold is first copied, to where nobody but the builder reads. Only if the last build is then still
the same and green, and no mart was written after it, do partners get their rows of these copies:
each in one transaction, so that it never reads marts of two builds. A mart that is new, or whose
columns changed, is made with its rows just before.

Which datasets are of partners is what their labels say. No other is ever written or taken away.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.cloud.bigquery.dataset import DatasetListItem

from loaders.errors import AssayError
from loaders.gold.audiences import OWN, REFUSED, SEED, is_parted, partner_marts, partners_of
from loaders.gold.green import green_build
from loaders.gold.publish import Release
from loaders.home import Home, Target, build_command
from loaders.sinks.bigquery import datasets
from loaders.sinks.bigquery.errors import Call, answered
from loaders.sinks.bigquery.service import Service
from loaders.sinks.bigquery.sink import service_of

_LAYER = "partner"
_AGAIN = "A partner reads the old build or the new one. Run it again: assay publish"

Columns = dict[str, str]  # by table: their names and types, in order


def publish_datasets(home: Home) -> Release:
    """Give each partner its rows of gold. For who has the turn. Raises AssayError if not green."""
    service = service_of(home)
    target = service.target
    build_id = _green_build(service, home)
    marts = _marts(service)
    partners = {
        dataset_of(target, slug): (slug, partner_hash)
        for slug, partner_hash in (_partners(service, home) if marts else [])
    }
    parted = {mart: is_parted(mart) for mart in marts}
    service.scripts([(_copy(mart, parted[mart]), {}) for mart in marts], _call(service))
    if _green_build(service, home) != build_id:
        raise AssayError(
            "Not published: another build came between. Partners keep what they have. "
            "Run: assay publish"
        )
    for dataset, (slug, _) in partners.items():
        _make(service, dataset, slug)
    columns = _columns(service, target.layer("gold"))
    wanted = {mart: columns[mart] for mart in marts}
    scripts = [
        (_script(service, dataset, wanted, parted), {"own": partner_hash})
        for dataset, (_, partner_hash) in partners.items()
    ]
    counts = [found["row_total"][0].as_py() for found in service.scripts(scripts, _call(service))]
    service.scripts([(f"drop table {_copied(mart)}", {}) for mart in marts], _call(service))
    _forget_gone(service, set(partners))
    now = datetime.now(UTC)
    rows = dict(zip(partners, counts, strict=True))
    return Release(f"{now:%Y%m%dT%H%M%S%f}", build_id, now.isoformat(), rows)


def dataset_of(target: Target, slug: str) -> str:
    """The dataset of a partner: a slug has no underscore of its own, so no two share one."""
    return target.layer(f"{_LAYER}_{slug.replace('-', '_')}")


def _green_build(service: Service, home: Home) -> str:
    is_built = "last_build" in service.tables(service.target.dataset)
    builds = service.query("select * from main.last_build").to_pylist() if is_built else []
    build_id = green_build(home, builds)
    written = service.query(
        """
        select marts.table_id
        from gold.__TABLES__ as marts
        inner join main.__TABLES__ as builds
            on
                builds.table_id = 'last_build'
                and marts.last_modified_time > builds.last_modified_time
        order by marts.table_id
        """
    )
    changed = [mart for mart in written["table_id"].to_pylist() if mart in partner_marts()]
    if changed:
        raise AssayError(
            f"Not published: {', '.join(changed)} changed after the last build. Partners keep what "
            f"they have. Wait for the build that runs; if there is none, run: {build_command(home)}"
        )
    return build_id


def _marts(service: Service) -> list[str]:
    """The marts for partners that are built; none where claims are not."""
    layer, seed = SEED.split(".")
    if seed not in service.tables(service.target.layer(layer)):
        return []
    there = service.tables(service.target.layer("gold"))
    return [mart for mart in partner_marts() if mart in there]


def _partners(service: Service, home: Home) -> list[tuple[str, str]]:
    seed = service.query(f"select partner_id, slug from {SEED} order by partner_id").to_pylist()
    lines = [(line["partner_id"], line["slug"]) for line in seed]
    return partners_of(home, lines, is_in_order=False)


def _copy(mart: str, is_clustered: bool) -> str:
    """A copy goes by itself if whoever made it is killed."""
    return f"""
        create or replace table {_copied(mart)}
        {f"cluster by {OWN}" if is_clustered else ""}
        options (expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day))
        as select * from gold.{mart}
    """


def _copied(mart: str) -> str:
    return f"main.publishing_{mart}"


def _make(service: Service, name: str, slug: str) -> None:
    """Make a partner's dataset where there is none. Raises AssayError if another has its name."""
    labels, call = _labels(service, slug), _call(service, f"dataset {name}")
    dataset = datasets.made(service, name, labels, call)
    if not labels.items() <= dataset.labels.items():
        raise AssayError(
            f"{REFUSED}: dataset {name} is there, and its labels do not say that it is a "
            "partner's. Rename that one, or the slug in seeds/partners.csv."
        )
    datasets.close(service, dataset, call)


def _labels(service: Service, slug: str) -> dict[str, str]:
    return service.labels | {"layer": _LAYER, _LAYER: slug}


def _columns(service: Service, dataset: str) -> Columns:
    found = service.query(
        f"""
        select
            table_name,
            string_agg(concat(column_name, ' ', data_type), ', ' order by ordinal_position) as types
        from `{service.target.project}`.`{dataset}`.INFORMATION_SCHEMA.COLUMNS
        group by table_name
        """
    )
    return {row["table_name"]: row["types"] for row in found.to_pylist()}


def _script(service: Service, dataset: str, marts: Columns, parted: dict[str, bool]) -> str:
    """What brings a partner's dataset up to date, and counts its rows."""
    held = _columns(service, dataset)
    place = f"`{service.target.project}`.`{dataset}`"
    rows = {
        mart: f"select * from {_copied(mart)}" + f" where {OWN} = $own" * parted[mart]
        for mart in marts
    }
    anew = [mart for mart in marts if held.get(mart) != marts[mart]]
    swapped = [mart for mart in marts if mart not in anew]
    return ";\n".join(
        [
            *(f"drop table {place}.{table}" for table in held if table not in marts),
            *(
                f"create or replace table {place}.{mart} like gold.{mart} as {rows[mart]}"
                for mart in anew
            ),
            "begin transaction",
            *(
                f"truncate table {place}.{mart};\ninsert into {place}.{mart} {rows[mart]}"
                for mart in swapped
            ),
            "commit transaction",
            "select "
            + " + ".join(f"(select count(*) from {place}.{mart})" for mart in marts)
            + " as row_total",
        ]
    )


def _forget_gone(service: Service, kept: set[str]) -> None:
    """Take away the datasets of partners that the seed no longer has."""
    call = _call(service, f"project {service.target.project}")
    with answered(call):
        labelled = list(
            service.client.list_datasets(filter=f"labels.layer:{_LAYER}", **service.options())
        )
        for dataset in labelled:
            if _is_ours(service, dataset) and dataset.dataset_id not in kept:
                service.client.delete_dataset(
                    dataset.reference,
                    delete_contents=True,
                    not_found_ok=True,
                    **service.options(),
                )


def _is_ours(service: Service, dataset: DatasetListItem) -> bool:
    """Whether it is of a partner of this target, and not of one with a longer name."""
    slug = dataset.labels.get(_LAYER, "")
    is_labelled = _labels(service, slug).items() <= dict(dataset.labels).items()
    return is_labelled and str(dataset.dataset_id) == dataset_of(service.target, slug)


def _call(service: Service, place: str | None = None) -> Call:
    return Call(
        place or "datasets of partners",
        f"roles/bigquery.user on project {service.target.project}, dataEditor on what dbt builds, "
        "and to own the datasets of partners",
        _AGAIN,
    )
