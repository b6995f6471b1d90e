"""Mutation testing: every small fault in the code that decides has to make its tests fail.

    make mutants MUTANTS="sse repeat"                    the targets of tests/mutants/table.py; all of them by default
    python tests/mutants/run.py sse --slice 1/4          the first quarter of the mutants of one
    python tests/mutants/run.py sse --only Framer.feed   those whose name has this in it

Each mutant is tested in a process of its own, forked when the tests are collected already (see inside.py). Where that
decides nothing, it is tested in a process forked from this one, which loads the mutant in the place of its module. It
fails where a mutant survives that is not in the list of survivors, which says of each why it is no fault, and where one
is listed that does not survive.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import h11  # noqa: E402, F401
import hypothesis  # noqa: E402
import pytest  # noqa: E402

from tests.mutants.inside import Limits, Selection, Verdicts, judge, select  # noqa: E402
from tests.mutants.mutate import Mutant, mutants  # noqa: E402
from tests.mutants.table import TARGETS, Target  # noqa: E402

# A mutant is killed by the first example that fails; to shrink it would take most of the time.
hypothesis.settings.register_profile(
    "mutants",
    derandomize=True,
    deadline=None,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("mutants")

_MEMORY = 3 << 30
#: Seconds until a mutant that waits for ever is ended.
_PATIENCE = 120
_OPTIONS = (
    "--hypothesis-profile=mutants",
    "-q",
    "-x",
    "-n",
    "0",
    "-m",
    "not slow",
    "-p",
    "no:cacheprovider",
    "--assert=plain",
    "--tb=no",
)


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


_WORK: list[tuple[Mutant, str, Target]] = []


_LISTED: set[str] = set()


def _test(at: int) -> tuple[int, bool]:
    mutant, module, target = _WORK[at]
    survives = _survives(mutant, module, target)
    if survives and target.measures and mutant.name not in _LISTED:
        survives = _survives(mutant, module, target, measures=True)
    return at, survives


def _survives(mutant: Mutant, module: str, target: Target, *, measures: bool = False) -> bool:
    """Whether all tests pass with a mutant: all but those that measure, or those alone."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.setsid()
            seconds = _PATIENCE if measures else target.seconds
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            signal.alarm(_PATIENCE)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            sys.meta_path.insert(0, _Finder(module, mutant.tree))
            status = _run_tests(target, measures=measures)
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _run_tests(target: Target, *, measures: bool) -> int:
    """Run the tests of a target; 0 where all pass."""
    return int(pytest.main([*_options(target, measures=measures), *target.tests]))


def _options(target: Target, *, measures: bool) -> list[str]:
    """What pytest is given for the tests that measure, or for all others."""
    if not target.measures:
        return [*_OPTIONS]
    names = " or ".join(target.measures)
    return [*_OPTIONS, "-k", names if measures else f"not ({names})"]


def _judge_inside(target: Target, jobs: int) -> Verdicts | None:
    """Test the mutants of single functions; None where the tests fail without a mutant."""
    originals: dict[str, tuple[str, ast.Module]] = {}
    selections: list[Selection] = []
    for at, (mutant, module, _) in enumerate(_WORK):
        if module not in originals:
            file = str(ROOT.joinpath(*module.split(".")).with_suffix(".py"))
            originals[module] = file, ast.parse(Path(file).read_text(encoding="utf-8"))
        file, original = originals[module]
        if selection := select(at, module, file, original, mutant.tree):
            selections.append(selection)
    return judge(
        _options(target, measures=False), target.tests, Limits(target.seconds, _MEMORY, _PATIENCE), jobs, selections
    )


def _listed(path: Path) -> dict[str, str]:
    """The mutants that may survive, each with its reason: a line with the name, and an indented one with the reason."""
    found: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("    "):
            found[name] = line.strip()
        elif line and not line.startswith("#"):
            name = line
    return found


def _mutants_of(target: Target) -> Iterator[tuple[str, Mutant]]:
    """The mutants of a target, each with its module."""
    for source in target.sources:
        path = Path(source)
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            if file.stem != "__init__":
                module = ".".join([*file.parent.parts, file.stem])
                for mutant in mutants(file.read_text(encoding="utf-8"), file.stem):
                    yield module, mutant


def _run_target(name: str, options: argparse.Namespace) -> bool:
    """Test the mutants of a target, and compare the survivors with its list."""
    target = TARGETS[name]
    at, of = (int(number) for number in options.slice.split("/"))
    every = [(module, mutant) for module, mutant in _mutants_of(target) if options.only in mutant.name]
    _WORK[:] = [(mutant, module, target) for module, mutant in every[at - 1 :: of]]
    listed = _listed(ROOT / "tests" / "mutants" / f"{name}.txt")
    _LISTED.clear()
    _LISTED.update(listed)
    started = time.monotonic()
    verdicts = _judge_inside(target, options.j)
    if verdicts is None:
        print(f"{name}: the tests fail without a mutant, or take more than {target.seconds} s")
        return False
    killed, alive, modules = verdicts
    print(
        f"{name}: in {time.monotonic() - started:.0f} s {len(killed)} of {len(_WORK)} mutants are killed, and "
        f"{len(alive)} survive",
        flush=True,
    )
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    survivors: list[str] = []
    if target.measures:  # they are tested again with the tests that measure
        measured = {index for index in alive if _WORK[index][0].name not in listed}
        alive -= measured
    for index in sorted(alive):
        survivors.append(_WORK[index][0].name)
        print(f"survives (line {_WORK[index][0].line}): {survivors[-1]}", flush=True)
    with multiprocessing.get_context("fork").Pool(options.j) as pool:
        for index, survives in pool.imap_unordered(_test, [at for at in range(len(_WORK)) if at not in killed | alive]):
            if survives:
                mutant = _WORK[index][0]
                survivors.append(mutant.name)
                print(f"survives (line {mutant.line}): {mutant.name}", flush=True)
    tested = {mutant.name for mutant, _, _ in _WORK}
    unknown = [survivor for survivor in survivors if survivor not in listed]
    gone = [known for known in listed if known in tested and known not in survivors]
    if options.slice == "1/1" and not options.only:
        gone += [f"{known} (there is no such mutant any more)" for known in listed if known not in tested]
    seconds = time.monotonic() - started
    print(f"{name}: {len(_WORK)} mutants in {seconds:.0f} s; {len(survivors)} survive, {len(listed)} are listed")
    for survivor in unknown:
        print(f"{name}: not listed: {survivor}")
    for known in gone:
        print(f"{name}: listed, and does not survive: {known}")
    return not unknown and not gone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"any of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--slice", default="1/1", metavar="I/N", help="the I-th of N parts of the mutants")
    parser.add_argument("-j", type=int, default=2, help="how many at a time")
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"there is no target {', '.join(unknown)}")
    os.chdir(ROOT)
    passed = [_run_target(name, options) for name in options.targets or TARGETS]  # all, also after a failure
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
