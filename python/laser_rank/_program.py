"""The program ``laser``, as the wheel carries it."""

import sys

from . import _native


def main() -> int:
    """Runs the program with the arguments of this process."""
    return _native.main(["laser", *sys.argv[1:]])
