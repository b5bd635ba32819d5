"""BigQuery: the sink, the making of its datasets, and the readers of its books."""
