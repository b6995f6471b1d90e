"""The soak: a hostile server against every transport, streams cut at every byte, cancellations, interrupts.

``make soak`` runs it. The exit code is 1 if one of this SDK's counts is not 0.

The servers are in ``hostile/``, the processes that make calls in ``workers/``. ``plan.py`` decides what is to happen to
each call, ``judge.py`` what became of it; ``mixed.py``, ``cuts.py`` and ``breaks.py`` run the parts.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.soak import breaks, cuts, mixed
from tests.soak.processes import ROOT, official_python
from tests.soak.report import Report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts to run; all by default")
    parser.add_argument("--seed", type=int, default=None, help="the seed of the run; a random one by default")
    parser.add_argument("--calls", type=int, default=20_000, help="mixed calls over all lanes of this SDK")
    parser.add_argument("--streams", type=int, default=40_000, help="cut streams over all lanes, unless SOAK=full")
    parser.add_argument("--cancellations", type=int, default=4_000, help="cancelled calls under load")
    parser.add_argument("--interrupts", type=int, default=5_000, help="interrupted calls over all sync lanes")
    parser.add_argument("--restarts", type=int, default=10, help="restarts of the server on each lane")
    parser.add_argument("--lane", action="append", help="only this lane; may be given several times")
    parser.add_argument("--without-official", action="store_true", help="leave the official SDK out")
    parser.add_argument("--official", default=str(ROOT / ".bench" / "official"), help="environment of the official SDK")
    parser.add_argument(
        "--keep", action="store_true", help="keep the figures, from which docs/reliability.md takes them"
    )
    options = parser.parse_args()
    options.seed = random.randrange(1 << 31) if options.seed is None else options.seed
    report = Report(options.seed)
    print(f"seed {options.seed}", flush=True)
    options.python = None if options.without_official else official_python(Path(options.official))
    for name in options.parts or PARTS:
        began = time.monotonic()
        try:
            PARTS[name](options, report)
        except RuntimeError as error:
            report.add_part(name, {}, [str(error)])
        if options.keep:
            report.keep()
        print(f"{name}: {time.monotonic() - began:.0f} s\n", flush=True)
    return report.finish()


PARTS = {
    "calls": mixed.run,
    "restarts": breaks.run_restarts,
    "streams": cuts.run,
    "cancellations": breaks.run_cancellations,
    "interrupts": breaks.run_interrupts,
}


if __name__ == "__main__":
    sys.exit(main())
