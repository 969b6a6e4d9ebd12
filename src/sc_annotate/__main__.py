"""``python -m sc_annotate`` does what ``sc-annotate`` does."""

from __future__ import annotations

import sys

from sc_annotate.cli import main

if __name__ == "__main__":
    sys.exit(main())
