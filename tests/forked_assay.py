"""`assay` as a process of its own, forked from one that has imported it: a second less each time.

Arguments, environment, folder, umask, input, outputs and exit code are those of the command.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from loaders.cli import main

# What a command imports when it is run: once here, and not in each child.
_LOADED_LATE = {"check": "great_expectations", "land": "pandas"}
_ONE_AT_A_TIME = threading.Lock()


def forked_assay(
    arguments: list[str], environment: dict[str, str], stdin: bytes
) -> CompletedProcess[bytes]:
    """Run `assay ARGUMENTS` with this environment and no other."""
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="assay-") as aside:
        files = [str(Path(aside, name)) for name in ("in", "out", "err")]
        Path(files[0]).write_bytes(stdin)
        umask = os.umask(0)
        os.umask(umask)
        request = {
            "arguments": arguments,
            "environment": environment,
            "folder": str(Path.cwd()),
            "umask": umask,
            "files": files,
        }
        server = _server()
        assert server.stdin
        assert server.stdout
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        out, err = (Path(file).read_bytes() for file in files[1:])
    return CompletedProcess(["assay", *arguments], code, out, err)


@cache
def _server() -> subprocess.Popen[str]:
    """The process that commands are forked from. It ends with this one."""
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    """Fork a child for every request, and answer with its exit code."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # as a check says it before that import
    for line in os.fdopen(os.dup(0)):
        request = json.loads(line)
        for late in set(request["arguments"]) & _LOADED_LATE.keys():
            importlib.import_module(_LOADED_LATE[late])
        child = os.fork()
        if child == 0:
            _run(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(
    arguments: list[str], environment: dict[str, str], folder: str, umask: int, files: list[str]
) -> Any:
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(umask)
    sys.argv = ["assay", *arguments]
    main()


if __name__ == "__main__":
    _serve()
