"""Every function that meets the text of a peer, or of a file that another has written, takes linear time."""

from __future__ import annotations

import functools
import inspect
import sys
from fnmatch import fnmatchcase

import pytest

from tests.growth.aside import ASIDE
from tests.growth.measure import count_steps, judge_steps, judge_time
from tests.growth.readers import readers
from tests.growth.rows import ROWS

_CACHED = type(functools.cache(len))


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.most_steps])
def test_a_function_that_meets_the_text_of_a_peer_takes_linear_steps(name: str) -> None:
    row = ROWS[name]
    sizes = (row.most_steps // 100, row.most_steps // 10, row.most_steps)
    problems = {unit: problem for unit, make in row.inputs.items() if (problem := judge_steps(make, sizes))}
    assert not problems


@pytest.mark.parametrize("name", ROWS)
def test_a_function_that_meets_the_text_of_a_peer_takes_linear_time(name: str) -> None:
    row = ROWS[name]
    sizes = (row.most_time // 100, row.most_time // 10, row.most_time)
    problems = {unit: problem for unit, make in row.inputs.items() if (problem := judge_time(make, sizes))}
    assert not problems


def test_every_function_that_takes_text_apart_is_run_by_a_row_or_set_aside_with_a_reason() -> None:
    _clear_caches()  # what an earlier test has had compiled would not be run
    codes = {code for row in ROWS.values() for make in row.inputs.values() for code in count_steps(make(200)).codes}
    reached = {(code.co_filename, code.co_firstlineno) for code in codes}
    missing = {str(reader) for reader in readers() if (reader.file, reader.line) not in reached}
    assert not {name for name in missing if not any(fnmatchcase(name, pattern) for pattern in ASIDE)}
    # What is set aside is there, and no row has it.
    assert not {pattern for pattern in ASIDE if not any(fnmatchcase(name, pattern) for name in missing)}


def _clear_caches() -> None:
    """Empty the caches of the functions that take text apart."""
    places = {(reader.file, reader.line) for reader in readers()}
    for module in list(sys.modules.values()):
        for held in list(vars(module).values()):
            if isinstance(held, _CACHED):
                code = getattr(inspect.unwrap(held), "__code__", None)
                if code is not None and (code.co_filename, code.co_firstlineno) in places:
                    held.cache_clear()


def test_a_function_that_takes_text_apart_is_found_in_the_source() -> None:
    names = {str(reader) for reader in readers()}
    assert {"muxi.errors:_excerpt", "muxi.rendering:_write_line", "muxi.tracefile.reading:LineParser.feed"} <= names
    assert len(names) > 200
