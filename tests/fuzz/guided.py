"""Runs a target under atheris, whose inputs are guided by what they cover."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.engine import Broken, fuzz, keep, smallest
from tests.fuzz.registry import Target, run_once

__all__ = ["follow_imports", "fuzz_guided", "is_there"]


def is_there() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def follow_imports() -> None:
    """Have the modules of the SDK that are imported from here on report what is covered."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # it has no types

    atheris.instrument_imports(include=["muxi", "muxi_transports", "sseclient"]).__enter__()


def fuzz_guided(it: Target, seed: int, seconds: float, folder: Path) -> int:
    """Run the target for that time, print the figures as JSON, and end the process, as atheris would.

    The mutator of this project has the first third of the time: it knows the words of each target, and finds quickly
    what coverage alone finds slowly. What breaks the target is kept and does not end the run.
    """
    import atheris

    first = fuzz(it, seed, seconds=seconds / 3)
    broken = dict(first.broken or {})
    count, began = first.inputs, time.monotonic() - first.seconds

    def finish() -> None:
        lines = []
        for where, found in broken.items():
            small = smallest(it, found)
            path = keep(folder, it.name, small).relative_to(folder.parent)
            lines.append(
                f"{where}: {small.error!r:.300}\n      again with: python -m tests.fuzz {it.name} --input {path}"
            )
        figures = {
            "engine": "mutator, atheris",
            "inputs": count,
            "seconds": round(time.monotonic() - began),
            "broken": lines,
        }
        print(json.dumps(figures), flush=True)
        os._exit(int(bool(broken)))

    def run(data: bytes) -> None:
        nonlocal count
        count += 1
        try:
            run_once(it, data)
        except Exception as error:
            found = Broken(data, error)
            broken.setdefault(found.where, found)
        if time.monotonic() - began >= seconds:
            finish()

    with tempfile.TemporaryDirectory() as corpus:
        words = Path(corpus, "words")
        words.write_text("".join(_word(token) for token in it.tokens if token))
        arguments = [sys.argv[0], f"-seed={seed % (1 << 31) or 1}", "-max_len=65536", f"-dict={words}", "-verbosity=0"]
        inputs = Path(corpus, "inputs")
        inputs.mkdir()
        for place, data in enumerate(it.seeds()):
            (inputs / str(place)).write_bytes(data)
        atheris.Setup([*arguments, str(inputs)], run)
        atheris.Fuzz()
    return 0


def _word(token: bytes) -> str:
    """A line of libFuzzer's dictionaries."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'
