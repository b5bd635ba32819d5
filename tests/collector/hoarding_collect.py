"""`assay collect`, broken on purpose: a range is all that waits, however much that is."""

import sys

from loaders.cli import main
from loaders.collector import store

store.RANGE_RECORDS, store._RANGE_BYTES = 1 << 30, 1 << 40

if __name__ == "__main__":
    main(["collect", *sys.argv[1:]])
