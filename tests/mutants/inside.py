"""Mutants of functions, put into a process that has collected its tests already.

Of a mutant whose fault is inside a function only the code of this function is exchanged, and only the tests that call
the function run; of one whose fault is in the body of its module the values of the module's names are. Those tests run
first that have found other mutants of the same place. A process forked for a mutant starts with everything loaded.

A fault in the body of a class and one in a default are not tested here. Nor is it final that a fault survives which
bears on more than it is put into here: a value that was used when modules were loaded, a function that was called then.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import mmap
import os
import pickle
import resource
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import NamedTuple, TypeVar, cast

import pytest

__all__ = ["Limits", "Selection", "Verdicts", "judge", "select"]

_OWN = ("muxi", "tests", "__main__")

#: A function within a file: its name, and its first line.
Key = tuple[str, int]
#: Processor seconds that any test may take; one that takes more loops.
_LEAST_SECONDS = 3.0
_Result = TypeVar("_Result")


class Limits(NamedTuple):
    """What a process with a mutant may use; more is a mutant that loops."""

    processor_seconds: int
    #: Bytes of memory.
    memory: int
    #: Seconds until a mutant that waits for ever is ended.
    patience: int


class Selection(NamedTuple):
    """A mutant as the code of one function, or of the body of its module."""

    #: Its place in the work.
    at: int
    module: str
    #: The file of the module.
    file: str
    #: None for the body of the module.
    function: Key | None
    code: CodeType


def select(at: int, module: str, file: str, original: ast.Module, mutant: ast.Module) -> Selection | None:
    """Find what a mutant changes; None where it is the body of a class, or a default."""
    before, after = _compiled(original, file), compile(mutant, file, "exec", dont_inherit=True)
    if found := _changed(before, after):
        return Selection(at, module, file, *found)
    functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    texts = [[ast.dump(node) for node in tree.body if isinstance(node, functions)] for tree in (original, mutant)]
    return Selection(at, module, file, None, after) if texts[0] == texts[1] else None


@lru_cache(maxsize=1)
def _compiled(original: ast.Module, file: str) -> CodeType:
    return compile(original, file, "exec", dont_inherit=True)


def _changed(before: CodeType, after: CodeType) -> tuple[Key, CodeType] | None:
    """The outermost function that differs between two module or class bodies which are alike otherwise."""
    inner = [[const for const in code.co_consts if isinstance(const, CodeType)] for code in (before, after)]
    if _own(before) != _own(after) or len(inner[0]) != len(inner[1]):
        return None
    differing = [(one, other) for one, other in zip(*inner, strict=True) if one != other]
    if len(differing) != 1:
        return None
    one, other = differing[0]
    if one.co_flags & 2:  # CO_NEWLOCALS: a function, or a comprehension; a class body has it not
        fits = one.co_freevars == other.co_freevars and _key(one) == _key(other) and one.co_name.isidentifier()
        return (_key(one), other) if fits else None
    return _changed(one, other)


def _own(code: CodeType) -> tuple[object, ...]:
    """A body without the functions in it."""
    consts = [None if isinstance(const, CodeType) else (type(const), const) for const in code.co_consts]
    return code.co_code, consts, code.co_names, getattr(code, "co_exceptiontable", None)


def _key(code: CodeType) -> Key:
    return code.co_name, code.co_firstlineno


class Verdicts(NamedTuple):
    """What became of the mutants, by their place; those of neither kind are still to be tested."""

    killed: set[int]
    survive: set[int]
    #: Modules that the tests load, for processes which start without.
    modules: list[str]


def judge(
    options: Sequence[str], files: Sequence[str], limits: Limits, jobs: int, work: Sequence[Selection]
) -> Verdicts | None:
    """Run the tests of each mutant; None where they fail without one."""
    return _in_fork(lambda: _collect_and_test(options, files, limits, jobs, work))


def _collect_and_test(
    options: Sequence[str], files: Sequence[str], limits: Limits, jobs: int, work: Sequence[Selection]
) -> Verdicts | None:
    _silence()
    plugin = _Plugin(limits, jobs, work)
    plugin.callers.start()
    pytest.main([*options, *files], plugins=[plugin])
    return plugin.verdicts


class _Callers:
    """The tests that call each function of some files."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self._found: dict[tuple[str, Key], dict[int, None]] = {}
        #: The test that runs; -1 while they are collected.
        self.test = -1

    def start(self) -> None:
        """Note every call from here on, also those in threads that start later."""
        threading.settrace(self._note)
        sys.settrace(self._note)

    def stop(self) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def tests(self) -> dict[tuple[str, Key], list[int]]:
        return {function: list(tests) for function, tests in self._found.items()}

    def _note(self, frame: FrameType, event: str, arg: object) -> None:
        # Tracing, not profiling: calls of functions written in C are many, and make no events here.
        code = frame.f_code
        if code.co_filename in self._files:
            self._found.setdefault((code.co_filename, _key(code)), {})[self.test] = None


class _Plugin:
    """Runs the tests of each mutant in the place of one run of all tests."""

    def __init__(self, limits: Limits, jobs: int, work: Sequence[Selection]) -> None:
        self._limits = limits
        self._jobs = jobs
        self._work = work
        self._files = {selection.file for selection in work}
        self.callers = _Callers(self._files)
        #: The test that killed each mutant, as its process writes it: one more than its place, or 0.
        self._killers = mmap.mmap(-1, 4 * max(1, len(work)))
        self._found_by: dict[Key | None, dict[int, None]] = {}
        #: Processor seconds of each test.
        self._seconds: list[float] = []
        #: Those of which it is not final that they survive here.
        self._uncertain: set[int] = set()
        self.verdicts: Verdicts | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.callers.stop()
        for module in {selection.module for selection in self._work}:
            importlib.import_module(module)  # tests may load it only when they run
        functions = _functions_of(self._files)
        # Nothing of this is garbage in any process forked from here: to look through it takes longer than most tests.
        gc.collect()
        gc.freeze()
        recorded = _in_fork(lambda: self._record_callers(session))
        if recorded is None:
            return True
        callers, self._seconds = recorded
        self.verdicts = Verdicts(set(), set(), [name for name in sys.modules if not name.startswith(_OWN)])
        running: dict[int, int] = {}
        for place, selection in enumerate(self._work):
            tests, found = list(range(len(session.items))), list[FunctionType]()
            if selection.function:
                where = selection.file, selection.function
                tests, found = callers.get(where, []), functions.get(where, [])
                if not found:
                    continue
                if -1 in tests:
                    self._uncertain.add(place)
                    tests = tests[1:]
            else:
                self._uncertain.add(place)
            while len(running) >= self._jobs:
                self._wait(running)
            first = self._found_by.get(selection.function, {})
            order = [*reversed(first), *(test for test in tests if test not in first)]
            running[_start(lambda: self._passes(session, order, found, place))] = place  # noqa: B023  at once
        while running:
            self._wait(running)
        return True

    def _wait(self, running: dict[int, int]) -> None:
        pid, status = os.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what the tests of a mutant have started
        place = running.pop(pid)
        selection = self._work[place]
        assert self.verdicts is not None
        if status:
            self.verdicts.killed.add(selection.at)
        elif place not in self._uncertain:
            self.verdicts.survive.add(selection.at)
        killer = struct.unpack_from("i", self._killers, 4 * place)[0] - 1
        if killer >= 0:
            found = self._found_by.setdefault(selection.function, {})
            found.pop(killer, None)
            found[killer] = None

    def _record_callers(self, session: pytest.Session) -> tuple[dict[tuple[str, Key], list[int]], list[float]] | None:
        """Run all tests, and note which of them call each function, and the time of each; None where one fails."""
        seconds: list[float] = []
        for at, item in enumerate(session.items):
            self.callers.start()  # anew, as a test that recurses to the limit ends it
            self.callers.test = at
            begun = time.process_time()
            _run(session, item, session.items[at + 1] if at + 1 < len(session.items) else None)
            seconds.append(time.process_time() - begun)
            if session.testsfailed:
                return None
        self.callers.stop()
        return self.callers.tests(), seconds

    def _passes(
        self, session: pytest.Session, tests: Sequence[int], functions: Sequence[FunctionType], place: int
    ) -> bool:
        """Whether the tests that call a function pass with another code of it."""
        os.setsid()
        seconds, memory, patience = self._limits
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        signal.alarm(patience)
        selection = self._work[place]
        for function in functions:
            function.__code__ = selection.code
        if selection.function is None:
            _replace_values(selection.module, selection.code)
        for step, at in enumerate(tests):
            struct.pack_into("i", self._killers, 4 * place, at + 1)  # also where the process does not return from it
            signal.setitimer(signal.ITIMER_PROF, _LEAST_SECONDS + 5 * self._seconds[at])  # its signal ends the process
            _run(session, session.items[at], session.items[tests[step + 1]] if step + 1 < len(tests) else None)
            if session.testsfailed:
                return False
        struct.pack_into("i", self._killers, 4 * place, 0)
        return True


def _run(session: pytest.Session, item: pytest.Item, following: pytest.Item | None) -> None:
    session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _replace_values(module: str, code: CodeType) -> None:
    """Give the names of a module their values of a mutant, here and wherever they were imported."""
    before = vars(sys.modules[module])
    after = {name: before[name] for name in before if name.startswith("__")}
    exec(code, after)  # noqa: S102
    for name, value in after.items():
        old = before.get(name)
        if name.startswith("__") or isinstance(value, type | FunctionType | ModuleType) or old is None:
            continue
        for other in [other for key, other in sys.modules.items() if key.startswith(_OWN)]:
            if vars(other).get(name) is old:
                setattr(other, name, value)
    for name in before.keys() - after.keys():
        delattr(sys.modules[module], name)


def _functions_of(sources: set[str]) -> dict[tuple[str, Key], list[FunctionType]]:
    """Every function of some files that is there by now."""
    found: dict[tuple[str, Key], list[FunctionType]] = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename in sources:
            found.setdefault((thing.__code__.co_filename, _key(thing.__code__)), []).append(thing)
    return found


def _start(passes: Callable[[], bool]) -> int:
    """Fork a process that ends with 0 where the tests pass."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = 0 if passes() else 1
        os._exit(status)
    return child


def _in_fork(work: Callable[[], _Result | None]) -> _Result | None:
    """Do work in a forked process, for its result alone; None where it breaks down."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writing, "wb") as file:
            pickle.dump(work(), file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        result = file.read()
    os.waitpid(child, 0)
    return cast("_Result | None", pickle.loads(result)) if result else None  # noqa: S301


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
