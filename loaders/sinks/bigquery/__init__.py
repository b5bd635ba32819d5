"""BigQuery: the sink, the making of its datasets, and the readers of its books."""

import os

# Read when the library is first imported: else it tells of connections that end, which are opened
# again, in a format of its own among the lines of the collector's log.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
