"""Fuzzes whatever a peer chooses: ``make fuzz``, or ``python -m tests.fuzz [TARGET …]``.

Each target runs in a process of its own for ``FUZZ_S`` seconds (30). An input that breaks one is kept in ``.fuzz/``
and run again with ``python -m tests.fuzz TARGET --input FILE``. The exit code is 1 if something but an error of the SDK
came out.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.fuzz.engine import fuzz, keep
from tests.fuzz.guided import follow_imports, fuzz_guided, is_there
from tests.fuzz.registry import TARGETS, run_once, sample
from tests.soak.figures import keep_fuzz, running_commit

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".fuzz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="all by default")
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument("--seed", type=int, default=None, help="a random one by default")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_S") or 30), help="for each target")
    parser.add_argument("--count", type=int, default=None, help="so many inputs for each target, instead of seconds")
    parser.add_argument(
        "--one-of", type=int, default=1, help="one of so many inputs goes through a whole client, all through decisions"
    )
    parser.add_argument("--engine", choices=["auto", "atheris", "mutator"], default="auto")
    parser.add_argument("--input", type=Path, default=None, help="run the one target on this file alone")
    parser.add_argument(
        "--keep", action="store_true", help="keep the figures, from which docs/reliability.md takes them"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("muxi").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    if options.engine == "auto":
        options.engine = "atheris" if is_there() and options.count is None else "mutator"
    sample(options.one_of)
    if options.child and options.engine == "atheris":
        follow_imports()
    import_module("tests.fuzz.targets")  # registers them
    if options.list:
        print("\n".join(TARGETS))
        return 0
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; known are {', '.join(TARGETS)}")
    if options.input:
        run_once(TARGETS[options.targets[0]], options.input.read_bytes())
        print("only errors of the SDK came out")
        return 0
    seed = random.randrange(1 << 31) if options.seed is None else options.seed
    if options.child:
        return _run_one(options.targets[0], seed, options)
    commit = running_commit() if options.keep else ""
    print(f"seed {seed}", flush=True)
    is_broken = False
    for name in options.targets or TARGETS:
        result = _run_in_process(name, seed, options)
        is_broken = is_broken or bool(result["broken"])
        if options.keep:
            keep_fuzz({name: {**result, "one_of": options.one_of}}, seed, commit)
    return int(is_broken)


def _run_in_process(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run a target in a process of its own, and print what came of it."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--child", "--seed", str(seed), "--engine", options.engine]
    command += ["--one-of", str(options.one_of)]
    command += ["--count", str(options.count)] if options.count else ["--seconds", str(options.seconds)]
    # Making faulty inputs smaller takes some time after the run; a loop in C is not interrupted at all.
    limit = None if options.count else options.seconds + 300
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=limit)
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, 1, "", f"it was still running after {limit} s")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        result: dict[str, Any] = {
            "engine": "",
            "inputs": 0,
            "seconds": 0,
            "broken": [f"died:\n{done.stderr[-2000:]}"],
        }
    else:
        result = json.loads(lines[-1])
    broken = result["broken"]
    print(f"{name:20} {result['inputs']:>10} inputs {result['seconds']:>6} s  {result['engine']}", flush=True)
    for line in broken:
        print(f"    {line}", flush=True)
    return result


def _run_one(name: str, seed: int, options: argparse.Namespace) -> int:
    """Run one target in this process, and print the figures as JSON."""
    if options.engine == "atheris":
        return fuzz_guided(TARGETS[name], seed, options.seconds, FOLDER)
    seconds = None if options.count else options.seconds
    result = fuzz(TARGETS[name], seed, seconds=seconds, count=options.count)
    broken = [
        f"{where}: {found.error!r:.300}\n      again with: python -m tests.fuzz {name} --input "
        f"{keep(FOLDER, name, found).relative_to(ROOT)}"
        for where, found in (result.broken or {}).items()
    ]
    figures = {"engine": "mutator", "inputs": result.inputs, "seconds": round(result.seconds), "broken": broken}
    print(json.dumps(figures), flush=True)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
