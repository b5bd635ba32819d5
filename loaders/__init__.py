"""Land events unchanged, once: the `assay` command and everything behind it."""
