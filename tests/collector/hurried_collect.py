"""`assay collect` with little patience and room, so that a test need not wait or be many."""

import os
import sys

from loaders.cli import main
from loaders.collector import app, connections

connections.MOST = 12
connections._HEADER_SECONDS = float(os.environ.get("HEADER_SECONDS", "1"))
connections._REQUEST_SECONDS = 2
app._BODY_SECONDS = 1

if __name__ == "__main__":
    main(["collect", *sys.argv[1:]])
