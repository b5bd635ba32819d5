"""Writing the audit log: one chain from many processes, and from those that are killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_chain import entry_files, rows_of

from loaders import audit
from loaders.errors import AssayError
from loaders.home import Home, init_home
from loaders.identity import user
from loaders.vault import keys
from loaders.vault.rotation import rotate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
from steps import attempt

PROCESSES, EACH = 4, 12
APPEND = """
import sys
from pathlib import Path
from loaders import audit
from loaders.home import Home
for number in range(int(sys.argv[2])):
    audit.append(Home(Path(sys.argv[1])), "query", query_params={"by": sys.argv[3], "n": number})
"""


def test_many_processes_write_one_chain(home: Home):
    """Every entry of each is there once, in its own order, and nothing forks."""
    running = [
        subprocess.Popen([sys.executable, "-c", APPEND, home.path, str(EACH), str(by)])
        for by in range(PROCESSES)
    ]
    assert [process.wait() for process in running] == [0] * PROCESSES
    found = audit.verify(home)
    assert (found.entries, found.problems) == (PROCESSES * EACH, [])
    asked = [json.loads(row["query_params"]) for row in rows_of(home)]
    for by in range(PROCESSES):
        assert [a["n"] for a in asked if a["by"] == str(by)] == list(range(EACH))
    times = [row["timestamp"] for row in rows_of(home)]
    assert times == sorted(times)


def append_an_export(home: Home) -> None:
    audit.append(home, "export", export_format="csv", export_size=1)


@pytest.mark.parametrize("mode", ["kill", "fail"])
def test_stopped_before_every_step(home: Home, tmp_path: Path, mode: str):
    """Killed before each change of the home, or told that the disk is full: the next goes on.

    The entry is there wholly or not at all. Once the head has it, it is.
    """
    audit.append(home, "query")
    counts, step, stopped = [], 0, "yes"
    while stopped:
        step += 1
        copied = Home(Path(shutil.copytree(home.path, tmp_path / f"{mode}-{step}")))
        stopped = attempt(step, mode, copied.path, append_an_export)
        head = json.loads((copied.path / "audit" / "head.json").read_text(encoding="utf-8"))
        audit.append(copied, "query")
        found = audit.verify(copied)
        assert found.problems == [], (step, stopped)
        assert found.entries == head["entry"]["sequence"] + 1, (step, stopped)
        assert not list(copied.path.glob("audit/*.new")), (step, stopped)
        counts.append(found.entries)
    assert set(counts) == {2, 3}
    assert mode == "fail" or counts == sorted(counts)  # some calls may fail, such as mkdir again
    assert len(counts) > 20


def test_a_head_that_was_lost_is_an_entry(home: Home):
    """The chain goes on from bronze, and says that nobody can know whether its end was there."""
    for _ in range(3):
        audit.append(home, "query")
    (home.path / "audit" / "head.json").unlink()
    assert audit.verify(home).problems == [
        "no head is kept: whether the end was cut off cannot be told"
    ]
    audit.append(home, "query")
    rows = rows_of(home)
    assert [row["action"] for row in rows] == ["query"] * 3 + ["config_change", "query"]
    assert json.loads(rows[3]["config_change"])["new_value"] == rows[2]["id"]
    assert audit.verify(home).problems == []


def test_who_acts_is_who_is_named_and_who_ran_it(home: Home, monkeypatch: pytest.MonkeyPatch):
    """ASSAY_USER where it says something; what a terminal would choke on is left out."""
    monkeypatch.delenv("ASSAY_USER", raising=False)
    account = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True)
    assert user() == account.stdout.strip()
    monkeypatch.setenv("ASSAY_USER", " Ada\x1b[31m\n ")
    audit.append(home, "query")
    (row,) = rows_of(home)
    assert (row["user_id"], row["system_user"]) == ("Ada[31m", account.stdout.strip())


def test_a_rotation_is_in_the_log_before_the_key(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Who rotated, from which version to which; without its entry there is no new key."""
    rotate(home, wait=1)
    (row,) = rows_of(home)
    assert row["action"] == "key_rotation"
    assert json.loads(row["config_change"]) == {"field": "live key", "old_value": 1, "new_value": 2}

    def full(*_: object, **__: object) -> None:
        raise AssayError("the disk is full")

    monkeypatch.setattr("loaders.bronze.write_rows", full)
    monkeypatch.setattr("loaders.gold.runs._write", lambda *_: None)
    with pytest.raises(AssayError, match="the disk is full"):
        rotate(home, wait=1)
    assert len(keys(home.vault)) == 2


def test_the_command_says_what_is_wrong(home: Home):
    """One line per problem and exit code 1; the hash to note; one object with --json."""
    command = [Path(sys.executable).with_name("assay"), "audit", "verify", "--home", home.path]
    audit.append(home, "query")
    entry = audit.append(home, "query")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"2 entries, 0 problems; the last one is 2, {entry['hash']}; no witness outside the home.\n"
    )
    entry_files(home)[-1].unlink()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"] == [
        f"chain {entry['producer']}, entry 2 is missing: the end was cut off"
    ]


def test_two_homes_have_two_chains(home: Home, tmp_path: Path):
    other = init_home(tmp_path / "other")[0]
    one, two = (audit.append(each, "query") for each in (home, other))
    assert one["producer"] != two["producer"]
    assert one["id"] != two["id"]
