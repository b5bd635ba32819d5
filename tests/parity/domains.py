"""What a short run leaves out: it goes through one domain that the dice choose, a long run all."""

from __future__ import annotations

import os
import random

from conftest import PROJECT

LONG = os.environ.get("ASSAY_LONG") == "1"
# Made of all the others.
OF_ALL = {"metrics", "platform"}


def left_out(dice: random.Random) -> list[str]:
    """The domains that are not gone through this time."""
    folders = sorted(path.name for path in (PROJECT / "models" / "silver").iterdir())
    domains = [name for name in folders if name not in OF_ALL]
    return [] if LONG else sorted(set(domains) - {dice.choice(domains)})


def of_domain(domain: str) -> str:
    """Selects what is of a domain: of silver and of every gold."""
    return f"path:models/*/{domain}"
