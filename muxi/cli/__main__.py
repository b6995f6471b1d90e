"""``python -m muxi.cli`` does what ``muxi-client`` does."""

import sys

from muxi.cli import main

sys.exit(main())
