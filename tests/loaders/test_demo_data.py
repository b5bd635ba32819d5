"""The answer key of the demo data, recomputed from the files alone."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from loaders.demo import write_demo
from loaders.demo.attempts import write_attempts
from loaders.demo.texts import TEXTS, UNKNOWN_TEXTS

EVENTS = 20_000
END = datetime(2026, 6, 1, tzinfo=UTC)
FILES = ["attempts-01.jsonl", "attempts-02.jsonl.gz", "attempts-03.csv", "attempts-04-late.jsonl"]
DEPOSITS = ["deposit_attempts-01.jsonl", "deposit_attempts-02.csv"]
EVENTS_OF_THE_PRODUCT = [
    "platform_events-01.jsonl",
    "platform_events-02.jsonl",
    "platform_events-03-late.jsonl",
]
CLAIMS = ["claim_events-01.jsonl", "claim_events-02.jsonl", "data_subject_requests-01.jsonl"]
DECISIONS = [f"fraud_{what}-0{n}.jsonl" for what in ("decisions", "outcomes") for n in (1, 2)]
DECISIONS = ["fraud_attributions-01.jsonl", *DECISIONS]
EXPERIMENTS = ["experiments-01.jsonl"]
REPLAYS = ["replay_scenarios-01.jsonl"]
RATES = ["fx_rates-01.csv"]
EU = {"DE", "FR", "ES", "PT", "PL", "IT", "NL", "AT", "BE", "IE", "SE"}
STATUSES = {"success", "error", "test", "multi_account", "blocked"}
SPELLINGS = {"multi acc", "multi_acc", "multiacc", "multi_account"}


def read_lines(path):
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()


def read_rows(path, broken=()):
    if path.suffix == ".csv":
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    else:
        lines = [line for n, line in enumerate(read_lines(path), 1) if n not in broken]
        rows = pd.DataFrame([json.loads(line) for line in lines], dtype=object)
    return rows.assign(
        file=path.name,
        timestamp=pd.to_datetime(rows["timestamp"], format="%Y-%m-%dT%H:%M:%S.%fZ", utc=True),
        duration=rows["duration"].astype("int64"),
        sequence=rows["sequence"].astype("int64"),
    )


def read_reply(event):
    """Return the code that the event gives, or else the text."""
    if pd.notna(event.error_code):
        return event.error_code, None
    if not event.resp.startswith("{"):
        return None, event.resp
    reply = json.loads(event.resp)
    if "errors" in reply:
        return reply["errors"][0]["extensions"]["code"], None
    return reply.get("code"), reply.get("message")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def key(folder):
    returned = write_demo(folder, EVENTS, 7, END)
    written = json.loads((folder / "answer_key.json").read_text(encoding="utf-8"))
    assert written == returned
    assert {name: written[name] for name in ("seed", "events", "end")} == {
        "seed": 7,
        "events": EVENTS,
        "end": "2026-06-01T00:00:00Z",
    }
    return written["attempts"]


@pytest.fixture(scope="module")
def rows(folder, key):
    """Every row that must be accepted, in the order of the files."""
    broken = {name: {b["line"] for b in key["broken"] if b["file"] == name} for name in FILES}
    return pd.concat([read_rows(folder / name, broken[name]) for name in FILES], ignore_index=True)


@pytest.fixture(scope="module")
def events(rows):
    """Every event once, as it first arrived."""
    return rows.drop_duplicates("event_id")


@pytest.fixture(scope="module")
def errors(events):
    failed = events[events["status"] == "error"]
    replies = [read_reply(event) for event in failed.itertuples()]
    return failed.assign(code=[code for code, _ in replies], text=[text for _, text in replies])


def test_same_arguments_same_bytes(folder, key, tmp_path):
    write_demo(tmp_path, EVENTS, 7, END)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answer_key.json",
        *FILES,
        *CLAIMS,
        *DEPOSITS,
        *EXPERIMENTS,
        *DECISIONS,
        *RATES,
        *EVENTS_OF_THE_PRODUCT,
        *REPLAYS,
    ]
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_another_seed_other_bytes(folder, key, tmp_path):
    write_demo(tmp_path, EVENTS, 8, END)
    for path in tmp_path.iterdir():
        if path.name in (*EXPERIMENTS, *REPLAYS):  # set up, not drawn
            continue
        assert path.read_bytes() != (folder / path.name).read_bytes(), path.name


def test_end_must_be_a_utc_midnight(tmp_path):
    for end in (END.replace(tzinfo=None), END.replace(hour=1)):
        with pytest.raises(ValueError, match="midnight"):
            write_demo(tmp_path, EVENTS, 7, end)


def test_too_few_events_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least"):
        write_demo(tmp_path, 10, 7, END)


@pytest.mark.parametrize(("number", "days"), [(1_000, 3), (100_000, 4)])
def test_rate_does_not_depend_on_size(tmp_path, number, days):
    key = write_attempts(tmp_path, number, 1, END)
    assert key["days"] == days
    assert key["distinct_events"] == number
    assert key["storm"]["most_errors_in_another_hour"] <= 70


def test_events_lie_in_the_days_before_the_end(events, key):
    assert key["days"] == 3
    assert pd.Timestamp(key["start"]) == END - timedelta(days=3)
    assert events["timestamp"].min() >= pd.Timestamp(key["start"])
    assert events["timestamp"].max() < END
    per_day = events.groupby(events["timestamp"].dt.date).size()
    assert len(per_day) == 3
    assert per_day.between(0.95 * EVENTS / 3, 1.05 * EVENTS / 3).all()
    assert events.groupby(events["timestamp"].dt.floor("h")).size().gt(50).sum() == 72


def test_files_hold_what_the_key_says(folder, rows, key):
    for name in FILES:
        header = name.endswith(".csv")
        books = key["files"][name]
        assert len(read_lines(folder / name)) - header == books["received"]
        assert (rows["file"] == name).sum() == books["accepted"]
        assert books["received"] == books["accepted"] + sum(books["rejected"].values())
    first = rows.groupby("file")["timestamp"].min()
    assert first[FILES[0]] < first[FILES[1]] < first[FILES[2]]


def test_gzip_header_holds_no_name_and_no_time(folder, key):
    header = (folder / FILES[1]).read_bytes()[:8]
    assert header == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_distinct_events_and_sequences_with_the_gap_that_was_planted(events, key):
    assert len(events) == key["distinct_events"] == EVENTS
    lost = {p: list(range(first, last + 1)) for p, (first, last) in key["lost_numbers"].items()}
    assert [len(numbers) for numbers in lost.values()] == [7]
    for producer, sent in events.groupby("producer"):
        first, last = key["sequences"][producer]
        numbers = [*sent["sequence"], *lost.get(producer, [])]
        assert sorted(numbers) == list(range(first, last + 1))
        assert first == 1


def test_counts_by_word(events, key):
    for name, column in {"actions": "action", "domains": "domain", "countries": "geo"}.items():
        assert events[column].value_counts().to_dict() == key[name]
    landed = events["status"].where(~events["status"].isin(SPELLINGS), "multi_account")
    unknown = landed[~landed.isin(STATUSES)].value_counts().to_dict()
    assert unknown == key["unknown_statuses"] == {"weird": 5}
    landed = landed.where(landed.isin(STATUSES), "unclassified")
    assert landed.value_counts().to_dict() == key["statuses"]
    assert set(events["status"]) >= SPELLINGS


def test_people_stay_themselves(events, key):
    traits = ["email", "phone", "fp", "geo", "country", "currency", "aff_data"]
    assert (events.groupby("ip")[traits].nunique(dropna=False) == 1).all(axis=None)
    assert EVENTS / 7 < events["email"].nunique() <= EVENTS / 6 + key["storm"]["senders"]
    assert events["ip"].str.match(r"(2001:db8:[0-9a-f:]+|203\.0\.113\.\d+)$").all()
    assert 0 < events["fp"].isna().mean() < 0.1
    assert 0 < (events["fp"] == "undefined").mean() < 0.05


def test_one_hour_has_a_storm_and_no_other(events, errors, key):
    storm = key["storm"]
    signups = errors[errors["action"] == "signup"]
    hours = signups["timestamp"].dt.floor("h")
    cells = signups.groupby([hours, "domain"]).size().sort_values(ascending=False)
    assert cells.index[0] == (pd.Timestamp(storm["period_start"]), storm["domain"])
    assert cells.iloc[0] == storm["errors_of_any_code"]
    assert cells.iloc[1] == storm["most_errors_in_another_hour"] <= 70

    text = key["localized_errors"]["rate_limited"]["tr"]["text"]
    cell = signups[(hours == cells.index[0][0]) & (signups["domain"] == storm["domain"])]
    limited = cell[(cell["code"] == storm["error_code"]) | (cell["text"] == text)]
    assert len(limited) == storm["errors"] == 180
    assert limited["action"].unique().tolist() == [storm["action"]]
    assert limited["geo"].unique().tolist() == [storm["country"]]
    for trait in ("ip", "fp", "email"):
        assert limited[trait].nunique() == storm["senders"] == 2
    assert set(events.loc[events["ip"].str.startswith("203."), "ip"]) == set(limited["ip"])


def test_slow_country_is_slower_than_the_eu(events, key):
    """20,000 events leave the ratio of the medians a standard error of about one percent."""
    slow = events.loc[events["geo"] == key["slow_country"]["country"], "duration"].median()
    usual = events.loc[events["geo"].isin(EU), "duration"].median()
    assert slow / usual == pytest.approx(1 + key["slow_country"]["percent"] / 100, abs=0.03)
    assert usual == pytest.approx(220e6, rel=0.03)


def test_errors_by_code_and_by_text(errors, key):
    texts = errors[errors["code"].isna()]["text"].value_counts().to_dict()
    codes = errors["code"].value_counts().to_dict()
    for code, languages in key["localized_errors"].items():
        for planted in languages.values():
            assert texts.pop(planted["text"]) == planted["errors"]
            codes[code] = codes.get(code, 0) + planted["errors"]
    codes["unclassified"] = sum(texts.values())  # what nobody knows
    assert codes == key["error_codes"]
    assert errors["text"].notna().any()
    assert errors["resp"].str.contains('"extensions"').any()


def test_texts_hold_a_fragment_that_the_seed_knows():
    known = pd.read_csv(Path(__file__).parents[2] / "seeds" / "error_texts.csv")
    for code, languages in TEXTS.items():
        fragments = known.loc[known["code"] == code, "text"]
        for text in languages.values():
            assert any(fragment in text.lower() for fragment in fragments), text
    for text in UNKNOWN_TEXTS:
        assert not any(fragment in text.lower() for fragment in known["text"]), text


def test_mail_domains(events, key):
    domains = events["email"].str.extract(r"^demo-\d+@(.+)$")[0]
    typos = key["mail_domains"]["typos"]
    assert set(domains) - set(typos) <= set(key["mail_domains"]["real"])
    for typed, planted in typos.items():
        assert (domains == typed).sum() == planted["attempts"] > 0
        assert events.loc[domains == typed, "email"].nunique() == planted["people"]
        assert planted["meant"] in key["mail_domains"]["real"]


def test_doubles(folder, rows, key):
    planted = key["duplicates"]
    double = rows[rows.duplicated("event_id")]
    assert set(double["file"]) == {FILES[3]}
    earlier = {line for name in FILES[:2] for line in read_lines(folder / name)}
    lines = read_lines(folder / FILES[3])
    assert sum(line in earlier for line in lines) == planted["exact"] == EVENTS * 0.005

    seen = rows.drop("file", axis=1).fillna("")
    conflicts = seen.drop_duplicates()
    conflicts = conflicts[conflicts.duplicated("event_id", keep=False)]
    assert conflicts["event_id"].nunique() == planted["conflicts"] == EVENTS * 0.0005
    assert len(double) == planted["exact"] + planted["conflicts"]
    changed = conflicts.groupby("event_id").nunique()
    assert (changed.sum(axis=1) == len(changed.columns) + 1).all()
    assert (changed["status"] + changed["duration"] == 3).all()
    assert set(planted["conflict_event_ids"]) <= set(changed.index)
    assert set(planted["exact_event_ids"]) <= set(double["event_id"]) - set(changed.index)


def test_late_rows_are_of_earlier_days(rows, key):
    before = set(rows.loc[rows["file"] != FILES[3], "event_id"])
    late = rows[(rows["file"] == key["late"]["file"]) & ~rows["event_id"].isin(before)]
    assert len(late) == late["event_id"].nunique() == key["late"]["events"]
    assert late["timestamp"].max() < END - timedelta(days=1)
    assert len(late) == pytest.approx(EVENTS * 2 / 3 * 0.01, rel=0.3)


def fault(line):
    """Return the code that a reader of the contract would refuse the line with, else None."""
    try:
        event = json.loads(line.decode("utf-8"))
    except ValueError:
        return "payload_malformed"
    if not isinstance(event, dict):
        return "payload_malformed"
    if any(not isinstance(event.get(n), str) for n in ("event_id", "timestamp", "status")):
        return "envelope_violation"
    time = pd.to_datetime(event["timestamp"], utc=True, errors="coerce", format="ISO8601")
    if pd.isna(time) or time >= END:
        return "time_violation"
    texts = [event.get("email"), event.get("domain")]
    well = all(text is None or isinstance(text, str) for text in texts)
    known = event["action"] in {"login", "signup", "validate", "restore_password"}
    return None if well and known and isinstance(event["duration"], int) else "schema_violation"


def test_broken_lines_and_no_others(folder, key):
    found = {
        (name, number): code
        for name in FILES
        if not name.endswith(".csv")
        for number, line in enumerate(read_lines(folder / name), 1)
        if (code := fault(line))
    }
    assert found == {(b["file"], b["line"]): b["code"] for b in key["broken"]}
    assert len(key["broken"]) == len({b["fault"] for b in key["broken"]}) == 12
    assert key["files"][FILES[3]]["rejected"] == pd.Series(found.values()).value_counts().to_dict()


def test_csv_quotes_and_leaves_nulls_empty(folder, rows, key):
    lines = (folder / FILES[2]).read_text(encoding="utf-8").splitlines()
    columns = [column for column in rows.columns if column != "file"]
    assert lines[0].split(",") == columns
    assert ',"{""data"":{""ok"":true}}",,' in lines[1] + lines[2] + lines[3]
    assert '""' not in [cell for line in lines for cell in line.split(",")]


def test_paths_with_quotes(folder, tmp_path):
    write_demo(tmp_path / "it's", 1_000, 1, END)
    made, elsewhere = ({path.name for path in at.iterdir()} for at in (tmp_path / "it's", folder))
    assert made == elsewhere


def test_deposits_are_of_the_same_people(folder, events):
    """The key of the deposits is in their files, and whoever deposits is one of the people."""
    key = json.loads((folder / "answer_key.json").read_text(encoding="utf-8"))["deposit_attempts"]
    rows = pd.concat([read_rows(folder / name) for name in DEPOSITS], ignore_index=True)
    deposits = rows.drop_duplicates("event_id")
    assert len(rows) - len(deposits) == key["duplicates"]["exact"]
    assert len(deposits) == key["distinct_events"] == EVENTS * 0.15
    assert sorted(deposits["sequence"]) == list(range(1, len(deposits) + 1))
    seen = events.drop_duplicates("email").set_index("email")["ip"]
    known = deposits[deposits["email"].isin(seen.index)]
    assert len(known) > 0.9 * len(deposits)
    assert (known["email"].map(seen) == known["ip"]).all()
    failed = deposits["status"] == "error"
    rates = failed.groupby(deposits["provider"]).mean().sort_values()
    assert rates.index[-1] == "Nova Cards"
    assert rates.iloc[-1] > 3 * rates.iloc[-2]
