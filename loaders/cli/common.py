"""What the commands share: options, output, and an error's one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from loaders.errors import AssayError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Commands(click.Group):
    """Shows an AssayError as its one line, and nothing else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AssayError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)


def everywhere(command: _Command) -> _Command:
    """Options that every command has."""
    command = click.option(
        "--home", type=click.Path(path_type=Path), help="The home. Default: ASSAY_HOME, or .assay"
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def say(as_json: bool, facts: dict[str, Any], lines: list[str]) -> None:
    click.echo(json.dumps(facts, default=str) if as_json else "\n".join(lines))
