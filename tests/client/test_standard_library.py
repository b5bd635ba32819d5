"""The client needs nothing but Python's standard library: it is a guest in others' processes."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import loaders.client

PACKAGE = Path(loaders.client.__file__).parent


def foreign_imports(files: list[Path]) -> set[str]:
    """What the files import that is neither Python's nor ours, wherever the import stands.

    Goes on through all of our own modules that they import.
    """
    foreign: set[str] = set()
    seen: set[Path] = set()
    while files:
        file = files.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imported(ast.parse(file.read_text(encoding="utf-8"))):
            top = name.partition(".")[0]
            if top == "loaders":
                files += files_of(name)
            elif top not in sys.stdlib_module_names:
                foreign.add(top)
    return foreign


def imported(tree: ast.AST) -> set[str]:
    """Modules, and for `from a import b` also `a.b`, which may be one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import without a name of its own"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def files_of(name: str) -> list[Path]:
    """The file of one of our modules, and those of the packages that it is in."""
    parts, files = name.split("."), []
    for length in range(1, len(parts) + 1):
        try:
            spec = find_spec(".".join(parts[:length]))
        except ModuleNotFoundError:  # a name in a module, not a module
            break
        if spec and spec.origin:
            files.append(Path(spec.origin))
    return files


def loaded_by(code: str) -> set[str]:
    """The first names of all modules that a process has after some code."""
    shown = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def foreign_modules(code: str) -> set[str]:
    """What is loaded with some code beyond what every process here has."""
    return loaded_by(code) - loaded_by("") - set(sys.stdlib_module_names) - {"loaders"}


def test_it_imports_nothing_else():
    assert foreign_imports(list(PACKAGE.glob("*.py"))) == set()


def test_nothing_else_is_loaded():
    modules = ", ".join(f"loaders.client.{file.stem}" for file in PACKAGE.glob("[a-z]*.py"))
    assert foreign_modules(f"import {modules}") == set()


def test_imports_that_are_planted_are_found(tmp_path: Path):
    """Within a function, of a part, and by way of a module of ours that needs more."""
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def f():\n    import numpy.linalg\n"
        "if f:\n    from yaml import safe_load\n"
        "from loaders import leases, bronze\n"
    )
    assert {"numpy", "yaml", "pyarrow"} <= foreign_imports([planted])
    assert "duckdb" in foreign_modules("import loaders.client, loaders.home")
