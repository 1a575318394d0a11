"""Run the bench: `python -m tests.bench`."""

import sys

from tests.bench.main import main

raise SystemExit(main(sys.argv[1:]))
