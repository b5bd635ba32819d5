"""Whatever a file holds: no crash, every record is kept somewhere, byte for byte, and counted."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hostile_inputs import KINDS, Hostile, good, make, make_big
from kept_validator import one_validator

from loaders import books
from loaders.errors import AssayError
from loaders.home import Home, bronze_reader
from loaders.landing.batches import LandingResult, land_file
from loaders.project import PROJECT

__all__ = ["one_validator"]  # a fixture

BATCH = 2 * KINDS
BATCHES = range(2_000 // BATCH + 1 if os.environ.get("ASSAY_LONG") else 3)
RUN = int(os.environ.get("ASSAY_TEST_SEED", "0"))

with (PROJECT / "seeds" / "error_codes.csv").open(encoding="utf-8", newline="") as _seed:
    LANDING_CODES = {row["code"] for row in csv.DictReader(_seed) if row["stage"] == "landing"}


def land_hostile(home: Home, folder: Path, seed: int, hostile: Hostile) -> LandingResult | None:
    """Land one hostile file; None where it was refused as a whole, in one line, leaving nothing."""
    file = folder / f"seed-{seed}"
    file.write_bytes(hostile.data)
    try:
        return land_file(home, "attempts", file)
    except AssayError as error:
        assert hostile.is_refusable, f"seed {seed} ({hostile.kind}) was refused: {error}"
        assert "\n" not in str(error)
        assert file.name in str(error)
        return None
    finally:
        file.unlink()


@pytest.mark.parametrize("batch", BATCHES)
def test_every_record_is_accepted_or_kept_with_a_code(
    batch: int, home: Home, tmp_path: Path
) -> None:
    """Batches of seeds: books balance, codes are known, dead letters are bytes of the file."""
    first = RUN + batch * BATCH
    print(f"seeds {first} to {first + BATCH - 1}")
    files: dict[str, tuple[int, Hostile]] = {}
    for seed in range(first, first + BATCH):
        hostile = make(seed)
        result = land_hostile(home, tmp_path, seed, hostile)
        if result is None or result.already_landed:
            continue
        files[result.batch_id] = (seed, hostile)
        what = f"seed {seed}, {hostile.kind}"
        assert hostile.records in (None, result.received), what
        assert set(result.codes) <= LANDING_CODES, what
        assert result.received == result.accepted + result.rejected, what

    batches, _ = books.read_books(home)
    assert [b for b in batches if b.problem] == []
    assert {b.batch_id for b in batches} == set(files)
    with bronze_reader(home) as reader:
        letters = reader.execute(
            "select batch_id, code, raw from bronze.dead_letters order by line_number"
        ).fetchall()
    for batch_id, code, raw in letters:
        seed, hostile = files[batch_id]
        assert code in LANDING_CODES
        if hostile.data[:4] != b"PAR1":
            data = (
                gzip.decompress(hostile.data) if hostile.kind.startswith("gzip") else hostile.data
            )
            assert raw in data, f"seed {seed}, {hostile.kind}"


@pytest.mark.parametrize("seed", range(40, 44))
def test_lines_are_all_there_once(seed: int, home: Home, tmp_path: Path) -> None:
    """Of damaged JSON lines, each is either a row with its id or a dead letter with its bytes."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    lines = []
    for number in range(300):
        line = bytearray(json.dumps(good(rng, event_id=f"id-{number}")).encode())
        for _ in range(rng.choice([0, 0, 1, 3])):
            line[rng.randrange(1, len(line))] = rng.choice(b'\xff\x00\x80"\\{}[]:,x0 \xe2')
        lines.append(bytes(line))
    file = tmp_path / "lines"
    file.write_bytes(b"\n".join(lines))
    result = land_file(home, "attempts", file)
    with bronze_reader(home) as reader:
        raws = dict(reader.execute("select line_number, raw from bronze.dead_letters").fetchall())
        ids = dict(reader.execute("select line_number, event_id from bronze.attempts").fetchall())
    assert result.rejected > 50
    assert sorted([*raws, *ids]) == list(range(1, len(lines) + 1))
    assert raws == {number: lines[number - 1] for number in raws}
    for number, event_id in ids.items():
        assert json.loads(lines[number - 1])["event_id"] == event_id


@pytest.mark.parametrize("seed", range(4))
def test_big_fields_and_lines_are_kept_whole(seed: int, home: Home, tmp_path: Path) -> None:
    """Nine and eighteen megabytes: refused for their size or shape, kept to the last byte."""
    print(f"seed {seed}")
    hostile = make_big(seed, 9 << 20)
    result = land_hostile(home, tmp_path, seed, hostile)
    if result is not None:
        with bronze_reader(home) as reader:
            raws = reader.execute("select raw from bronze.dead_letters").fetchall()
        assert len(raws) == result.rejected
        assert all(raw in hostile.data for (raw,) in raws)
        assert books.read_books(home)[0][0].problem is None


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_file_cut_short_lands_not_at_all_and_then_whole(
    codec: str, home: Home, tmp_path: Path
) -> None:
    """Any cut of a packed file is refused; the whole file, fetched again, then lands once.

    To land the readable part would count it twice: the whole file is another batch.
    """
    rng = random.Random(11)
    plain = b"".join(json.dumps(good(rng)).encode() + b"\n" for _ in range(500))
    packed = gzip.compress(plain) if codec == "gzip" else pa.compress(plain, codec, asbytes=True)
    file = tmp_path / "packed"
    for at in [len(packed) - 1, len(packed) - 5, *rng.sample(range(5, len(packed) - 5), 8)]:
        file.write_bytes(packed[:at])
        with pytest.raises(AssayError, match="packed"):
            land_file(home, "attempts", file)
        assert books.read_books(home)[0] == []
    file.write_bytes(packed)
    assert land_file(home, "attempts", file).accepted == 500


MEASURE = """
import sys
from pathlib import Path
from loaders.errors import AssayError
from loaders.home import init_home
from loaders.landing.batches import land_file
home, _ = init_home(Path(sys.argv[1]))
try:
    print(land_file(home, "attempts", Path(sys.argv[2])).codes)
except AssayError as error:
    print(error)
# Of this process alone: getrusage counts what its parent took when it began.
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.mark.parametrize(
    "start", [b'{"a":"', b'[["\\', b'event_id,b\n"'], ids=["lines", "array", "csv"]
)
def test_memory_is_bounded(start: bytes, tmp_path: Path) -> None:
    """A record without an end, a gigabyte from a few megabytes, is refused in bounded memory."""
    file = tmp_path / "bomb"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        packed.write(start)
        for _ in range(1024):
            packed.write(b"x" * (1 << 20))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "home", file],
        capture_output=True,
        text=True,
        check=True,
    )
    said, peak = run.stdout.splitlines()
    print(f"{said} Peak {peak} MiB.")
    assert "longer than" in said
    assert int(peak) < 1300
