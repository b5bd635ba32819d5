"""Erasing one person from every layer of a home."""
