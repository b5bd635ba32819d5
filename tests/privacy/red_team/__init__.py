"""The red team: attacks R1 to R20 on gold, each also on a twin that is sabotaged.

An attack must fail on the real gold and succeed on its twin: one that succeeds on neither proves
nothing. `make red-team` prints the table.
"""

from red_team import artifacts, differences, filters, insides, links, releases, singling
from red_team.attacks import ATTACKS

__all__ = [
    "ATTACKS",
    "artifacts",
    "differences",
    "filters",
    "insides",
    "links",
    "releases",
    "singling",
]
