"""Who acts: the account of the operating system, and whom it acts for."""

from __future__ import annotations

import os
import pwd

_LONGEST_NAME = 255


def user() -> str:
    """Who acts: what ASSAY_USER says, else the account of the operating system."""
    return _readable(os.environ.get("ASSAY_USER", "")) or system_user()


def system_user() -> str:
    """The account of the operating system, which no variable changes."""
    number = os.getuid()
    try:
        return _readable(pwd.getpwuid(number).pw_name) or str(number)
    except KeyError:
        return str(number)


def _readable(name: str) -> str:
    """A name that is text: without what a terminal or a file would choke on."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(filter(str.isprintable, text)).strip()[:_LONGEST_NAME]
