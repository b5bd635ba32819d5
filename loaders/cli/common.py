"""What the commands share: options, output, and an error's one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from loaders.errors import AssayError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Commands(click.Group):
    """Shows an AssayError as its one line, and nothing else."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AssayError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)


def seconds(_: click.Context, __: click.Parameter, given: str | None) -> float | None:
    """What an option means that takes `90s`, `5m`, `2h` or `1d`."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", given)
    if not found:
        raise click.BadParameter("Give a duration such as 60s, 5m, 2h or 1d.")
    return float(found.group(1)) * _SECONDS[found.group(2)]


def everywhere(command: _Command) -> _Command:
    """Options that every command has."""
    command = click.option(
        "--home", type=click.Path(path_type=Path), help="The home. Default: ASSAY_HOME, or .assay"
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def say(as_json: bool, facts: dict[str, Any], lines: list[str]) -> None:
    click.echo(json.dumps(facts, default=str) if as_json else "\n".join(lines))
