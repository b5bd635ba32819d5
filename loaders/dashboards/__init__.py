"""Dashboards and alerts of Metabase as files: checked offline, planned, applied."""
