"""What a mutant changes decides how it is put into a process that has loaded the original."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.inside import select
from tests.mutants.mutate import mutants

SOURCE = """
LIMIT = 3

class Reader:
    size = 1

    def read(self, most=5):
        return [item for item in self.items if item < most]
"""


def selected(name: str) -> object:
    """The function that a mutant of the source is put into; ``module`` for the values of the module."""
    mutant = next(it for it in mutants(SOURCE, "reader") if it.name == name)
    found = select(0, "reader", "reader.py", ast.parse(SOURCE), mutant.tree)
    return found and (found.function or "module")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("reader.Reader.read: item < most -> LtE", ("read", 7)),
        ("reader.Reader.read: return [item for item in self.items if item < most] -> return", ("read", 7)),
        ("reader: 3 -> 4", "module"),
        ("reader: without LIMIT = 3", "module"),
        ("reader.Reader: 1 -> 2", None),
        ("reader.Reader.read: 5 -> 6", None),
    ],
)
def test_a_fault_is_put_where_it_is(name: str, place: object) -> None:
    assert selected(name) == place


def test_every_mutant_differs_from_the_source_and_from_the_others() -> None:
    made = [ast.dump(mutant.tree) for mutant in mutants(SOURCE, "reader")]
    assert len(made) > 10
    assert len(set(made)) == len(made)
    assert ast.dump(ast.parse(SOURCE)) not in made


def test_faults_that_change_nothing_are_left_out() -> None:
    source = (
        "T = TypeVar('T')\n"
        "def one(text):\n    if text:\n        return None\n    return None\n"
        "def two(text):\n    return text.encode('utf-8') or False\n"
        "def three(text):\n    if text:\n        return True\n    return False\n"
    )
    assert [mutant.name for mutant in mutants(source, "m")] == [
        "m.one: not (text)",
        "m.one: without return None",
        "m.two: return text.encode('utf-8') or False -> return",
        "m.two: without return text.encode('utf-8') or False",
        "m.two: text.encode('utf-8') or False -> And",
        "m.two: text.encode('utf-8') or False without text.encode('utf-8')",
        "m.two: text.encode('utf-8') or False without False",
        "m.two: 'utf-8' -> 'utf-8x'",
        "m.two: False -> True",
        "m.three: not (text)",
        "m.three: return True -> return",
        "m.three: without return True",
        "m.three: True -> False",
        "m.three: False -> True",
    ]
