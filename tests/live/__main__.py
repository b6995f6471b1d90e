"""``python -m tests.live``, which is ``make live``: the suite against the platform's real runtime.

Without arguments everything runs. Arguments are those of pytest, to run a part. The table of the page on compatibility
is written from the last outcome of each probe.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.lab.installing import install
from tests.live.lab.processes import LabError


def main(arguments: Sequence[str]) -> int:
    """Install what is missing, and run the suite; 0 if it has passed, 3 if the lab cannot be laid out."""
    # As Ctrl-C does: whatever ends this run ends the processes that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        install()
    except LabError as error:
        print(f"make live: {error}", file=sys.stderr)
        return 3
    folder = str(Path(__file__).parent)
    chosen = list(arguments) if arguments else [folder, "--afresh", "--durations=10"]
    # One process: the formations are shared, and turns of several users at once mix up their answers.
    return int(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", *chosen]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
