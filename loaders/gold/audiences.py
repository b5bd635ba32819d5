"""What each partner of the partner seed may read: its own rows, and what says nothing of others.

A mart goes to partners where its yml says `config.meta.audience: partner`. Of one with the column
`partner_id_hash` a partner gets the rows of its own hash; one with differential privacy it gets
whole. A mart that is neither is refused, and so is a slug that cannot name a file. In a home:

    published_partner_<slug>.duckdb    what the partner's reader opens
    partners/<slug>/                   its releases: no row of another partner is below it

On BigQuery it is a dataset (`partner_datasets`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from typing import Any

import duckdb

from loaders.erasure.subject import chain
from loaders.errors import AssayError
from loaders.gold.marts import models_of
from loaders.gold.shelf import Shelf
from loaders.home import Home, build_command
from loaders.vault import read_keys

OWN = "partner_id_hash"
REFUSED = "audience_refused"  # code of the error-code seed

SEED = "silver.partners"
# The key domain of the macro `partner_id_hash`, which goes by the first key alone.
_DOMAIN = "gold.partner_id"
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 40


def is_slug(text: str) -> bool:
    """Whether a text can name a file, and a dataset with _ for -, that no other slug names."""
    return len(text) <= _LONGEST and _SLUG.fullmatch(text) is not None


def partner_shelves(home: Home, warehouse: duckdb.DuckDBPyConnection) -> list[Shelf]:
    """One shelf per partner; none where claims are not built. Raises AssayError."""
    there = {
        str(name)
        for (name,) in warehouse.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
        ).fetchall()
    }
    marts = [mart for mart in partner_marts() if f"gold.{mart}" in there]
    if not marts or SEED not in there:
        return []
    seed = warehouse.execute(f"select partner_id, slug from {SEED} order by rowid").fetchall()
    return [
        Shelf(
            "gold",
            home.partners / slug,
            home.partner_file(slug),
            rows={mart: partner_hash if is_parted(mart) else None for mart in marts},
        )
        for slug, partner_hash in partners_of(home, seed)
    ]


def partner_marts() -> list[str]:
    """The marts that are declared for partners."""
    return [name for name, model in models_of("gold").items() if is_for_partners(model)]


def is_for_partners(model: dict[str, Any]) -> bool:
    """Whether the yml of a model declares it for partners."""
    return bool(model.get("config", {}).get("meta", {}).get("audience") == "partner")


def forget_gone(home: Home, shelves: Iterable[Shelf]) -> None:
    """Take away the files and folders of partners that the seed no longer has."""
    kept = {path for shelf in shelves for path in (shelf.folder, shelf.file)}
    for file in home.path.glob(home.partner_file("*").stem):
        if file not in kept:
            file.unlink()
    for folder in home.partners.iterdir() if home.partners.is_dir() else ():
        if folder not in kept:
            shutil.rmtree(folder)


def is_parted(mart: str) -> bool:
    """Whether a partner gets its own rows of a mart, and not all. Raises AssayError if neither."""
    model = models_of("gold")[mart]
    if any(column["name"] == OWN for column in model["columns"]):
        return True
    if "differentially_private" in model["data_tests"]:
        return False
    raise AssayError(
        f"{REFUSED}: {mart} has meta.audience partner, but neither a column {OWN} nor noise, so "
        f"that its rows cannot be told apart. Take it out of models/gold/**/{mart}.yml."
    )


def partners_of(
    home: Home, seed: Iterable[tuple[Any, Any]], is_in_order: bool = True
) -> list[tuple[str, str]]:
    """Slug and hash of every partner of the seed, of whose lines id and slug are given.

    Raises AssayError where a slug cannot be used; it names the line if they are in order.
    """
    key = [key for key in read_keys(home.vault) if key.info.version == 1]
    partners: dict[str, str] = {}
    for line, (partner_id, slug) in enumerate(seed, start=2):
        (partner_hash,) = chain(_DOMAIN, str(partner_id), key)
        if not is_slug(str(slug)) or slug in partners or partner_hash in partners.values():
            raise AssayError(
                f"{REFUSED}: {f'line {line}' if is_in_order else 'a line'} of seeds/partners.csv. "
                f"A slug is of lower-case letters, digits and single hyphens, {_LONGEST} at most; "
                f"no slug or id is there twice. Mend it, and run: {build_command(home)}"
            )
        partners[str(slug)] = partner_hash
    return list(partners.items())
