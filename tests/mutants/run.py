"""Mutation testing: every small fault of a package has to make its tests fail.

    python tests/mutants/run.py muxi_transports/http1 tests/http1 --survivors tests/mutants/http1.txt

Each mutant is tested in a process forked from this one. It fails where a mutant survives that is not in the list of
survivors, which says of each why it is no fault, and where one is listed that does not survive.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

from tests.mutants.mutate import Mutant, mutants  # noqa: E402

# A mutant that loops is one that is noticed.
_SECONDS = 120
_MEMORY = 4 << 30


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a mutant in the place of a module."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._module = module
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=False)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, f"<mutant of {self._module}>", "exec"), vars(module))  # noqa: S102


def _survives(mutant: Mutant, module: str, arguments: list[str]) -> bool:
    """Whether all tests pass with a mutant."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            signal.alarm(_SECONDS)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            sys.meta_path.insert(0, _Finder(module, mutant.tree))
            status = 0 if pytest.main([*arguments, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]) == 0 else 1
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _listed(path: Path | None) -> dict[str, str]:
    """The mutants that may survive, each with its reason: a line with the name, and an indented one with the reason."""
    found: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path else []:
        if line.startswith("    "):
            found[name] = line.strip()
        elif line and not line.startswith("#"):
            name = line
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--survivors", type=Path, help="the list of mutants that may survive")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--named", type=Path, help="only the mutants whose names are in this file")
    parser.add_argument("-k", default="", help="as for pytest")
    parser.add_argument("-j", type=int, default=2, help="how many at a time")
    options = parser.parse_args()

    arguments = [*options.tests, *(["-k", options.k] if options.k else [])]
    named = set(options.named.read_text(encoding="utf-8").splitlines()) if options.named else None
    work: list[tuple[str, Mutant]] = []
    for path in sorted(options.package.glob("*.py")):
        if path.stem == "__init__":
            continue
        module = ".".join([*path.parent.parts, path.stem])
        work += [
            (module, mutant)
            for mutant in mutants(path.read_text(encoding="utf-8"), path.stem)
            if options.only in mutant.name and (named is None or mutant.name in named)
        ]
    # The child processes have what they share from here.
    pytest.main([*arguments, "--collect-only", "-q", "-p", "no:xdist", "--deselect", "nothing"], plugins=[_Quiet()])
    for name in [name for name in sys.modules if name.startswith((".".join(options.package.parts), "tests."))]:
        del sys.modules[name]
    started = time.monotonic()
    survivors: list[str] = []
    lock = threading.Lock()
    done = 0

    def test(item: tuple[str, Mutant]) -> None:
        nonlocal done
        survives = _survives(item[1], item[0], arguments)
        with lock:
            done += 1
            if survives:
                survivors.append(item[1].name)
                print(f"survives (line {item[1].line}): {item[1].name}", flush=True)

    with ThreadPoolExecutor(options.j) as pool:
        list(pool.map(test, work))
    listed = _listed(options.survivors)
    unknown = [name for name in survivors if name not in listed]
    tested = {mutant.name for _, mutant in work}
    gone = [name for name in listed if name in tested and name not in survivors] if not options.k else []
    print(f"{done} mutants in {time.monotonic() - started:.0f} s; {len(survivors)} survive, {len(listed)} are listed")
    for name in unknown:
        print(f"not listed: {name}")
    for name in gone:
        print(f"listed, and does not survive: {name}")
    return 1 if unknown or gone else 0


class _Quiet:
    """A pytest plugin that does nothing: the collection is for what it imports."""


if __name__ == "__main__":
    sys.exit(main())
