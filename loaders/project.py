"""Where the dbt project is that the loaders belong to."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
