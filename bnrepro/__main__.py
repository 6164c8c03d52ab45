"""`python -m bnrepro`, the same as the command `bnrepro`."""

import sys

from bnrepro.cli import main

if __name__ == "__main__":
    sys.exit(main())
