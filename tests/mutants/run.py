"""Mutation testing: every small fault of a package has to make its tests fail.

    python tests/mutants/run.py muxi_transports/http1 tests.http1.test_rules … --survivors tests/mutants/http1.txt

Each mutant is tested in a process forked from this one. It fails where a mutant survives that is not in the list of
survivors, which says of each why it is no fault, and where one is listed that does not survive.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import itertools
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import h11  # noqa: E402, F401
import hypothesis  # noqa: E402
import pytest  # noqa: E402, F401

from tests.mutants.mutate import Mutant, mutants  # noqa: E402

hypothesis.settings.register_profile("mutants", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("mutants")

# A mutant that loops is noticed: it uses more processor time than all tests together.
_SECONDS = 8
_MEMORY = 1 << 30


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


_WORK: list[tuple[Mutant, str, list[str]]] = []


def _test(at: int) -> tuple[int, bool]:
    return at, _survives(*_WORK[at])


def _survives(mutant: Mutant, module: str, arguments: list[str]) -> bool:
    """Whether all tests pass with a mutant."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            sys.meta_path.insert(0, _Finder(module, mutant.tree))
            for test in _tests_of(arguments):
                test()
            status = 0
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _tests_of(modules: list[str]) -> Iterator[Callable[[], object]]:
    """The tests of some modules as calls, without those that need a fixture: pytest takes a second to begin."""
    for name in modules:
        module = importlib.import_module(name)
        for function in [value for key, value in vars(module).items() if key.startswith("test_")]:
            marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
            names = [name.strip() for mark in marks for name in _names(mark.args[0])]
            if not hasattr(function, "hypothesis") and set(inspect.signature(function).parameters) - set(names):
                continue
            for values in itertools.product(*(mark.args[1] for mark in marks)):
                row = [
                    item
                    for mark, value in zip(marks, values, strict=True)
                    for item in (value if len(_names(mark.args[0])) > 1 else [value])
                ]
                yield functools.partial(function, **dict(zip(names, row, strict=True)))


def _names(names: str | Sequence[str]) -> Sequence[str]:
    return names.split(",") if isinstance(names, str) else names


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
    parser.add_argument("tests", nargs="+", help="modules of tests, the quickest first")
    parser.add_argument("--survivors", type=Path, help="the list of mutants that may survive")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--named", type=Path, help="only the mutants whose names are in this file")
    parser.add_argument("-j", type=int, default=2, help="how many at a time")
    options = parser.parse_args()

    arguments: list[str] = options.tests
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
    started = time.monotonic()
    survivors: list[str] = []
    _WORK[:] = [(mutant, module, arguments) for module, mutant in work]
    with multiprocessing.get_context("fork").Pool(options.j) as pool:
        for at, survives in pool.imap_unordered(_test, range(len(_WORK))):
            if survives:
                mutant = _WORK[at][0]
                survivors.append(mutant.name)
                print(f"survives (line {mutant.line}): {mutant.name}", flush=True)
    listed = _listed(options.survivors)
    unknown = [name for name in survivors if name not in listed]
    tested = {mutant.name for _, mutant in work}
    gone = [name for name in listed if name in tested and name not in survivors]
    print(
        f"{len(work)} mutants in {time.monotonic() - started:.0f} s; {len(survivors)} survive, {len(listed)} are listed"
    )
    for name in unknown:
        print(f"not listed: {name}")
    for name in gone:
        print(f"listed, and does not survive: {name}")
    return 1 if unknown or gone else 0


if __name__ == "__main__":
    sys.exit(main())
