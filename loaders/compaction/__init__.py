"""Merging the many small files of bronze into few, while others land and read."""
