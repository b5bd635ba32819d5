"""The one error type that the `assay` command shows to people."""


class AssayError(Exception):
    """Something a person has to act on.

    The message says what is wrong, where, and what to do next, in one line, and never quotes a
    value that came with an event.
    """
