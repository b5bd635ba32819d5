"""The metric reference page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from loaders.cli.common import everywhere, say
from loaders.gold.metric_reference import as_page, read_metrics


@click.command("metrics")
@everywhere
def show_metrics(home: Path | None, as_json: bool) -> None:
    """Print what each metric means, as the page docs/metrics.md."""
    subjects = read_metrics()
    say(as_json, {"subjects": [asdict(subject) for subject in subjects]}, as_page(subjects))
