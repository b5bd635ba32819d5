"""Secrets cut out: which names are secret, cutting one text, and cutting a block of records."""
