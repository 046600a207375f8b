"""``python -m laser_rank`` is the program ``laser``."""

import sys

from ._program import main

if __name__ == "__main__":
    sys.exit(main())
