"""From a file to bronze: framing, records, validation, batches, and trying dead letters again."""
