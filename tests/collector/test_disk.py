"""A disk that is full or broken under the spool: nothing is answered that is not kept."""

from __future__ import annotations

import os
import resource
import secrets
import subprocess
import sys
from pathlib import Path

from collecting import (
    LONG,
    assert_balanced,
    collecting,
    event,
    landed_ids,
    token,
)

from loaders.home import init_home

HERE = Path(__file__).parent


def test_every_write_and_sync_that_fails(tmp_path: Path):
    """Each place once with ASSAY_LONG=1, else some of them by dice."""
    seed = int(os.environ.get("ASSAY_SEED") or secrets.randbelow(2**32))
    print(f"ASSAY_SEED={seed}")
    command = [sys.executable, HERE / "failing_disk_run.py", tmp_path, str(seed)]
    result = subprocess.run(
        [*command, "0" if LONG else "8"], capture_output=True, text=True, check=False
    )
    print(result.stdout)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "0 lost" in result.stdout


def test_the_disk_is_full_and_then_is_not(tmp_path: Path):
    """A file may grow no more: 503, and 202 again when there is room. Nobody restarts anything."""
    home = init_home(tmp_path / "home")[0]
    bearer = token(home)
    answered: list[str] = []
    with collecting(home) as collector:
        assert collector.process

        def limit(size: int) -> None:
            assert collector.process
            resource.prlimit(
                collector.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)
            )

        def post(number: int) -> int:
            names = [f"{number}-{n}" for n in range(20)]
            status = collector.post([event(n, path="x" * 500) for n in names], bearer).status_code
            answered.extend(names if status == 202 else [])
            return status

        assert post(0) == 202
        limit(20_000)
        statuses = [post(n) for n in range(1, 10)]
        assert 503 in statuses
        assert set(statuses) <= {202, 503}
        ready = collector.client.get(collector.url("/readyz")).status_code
        assert ready == 503
        limit(resource.RLIM_INFINITY)
        number = 10
        while post(number) != 202:
            number += 1
        collector.drained()
        assert collector.stop() == 0
    assert set(answered) <= set(landed_ids(home))
    assert_balanced(home)
