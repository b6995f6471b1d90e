"""Every expression of the package is linear in the length of a text that is made to keep it busy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.growth.measure import judge_time
from tests.growth.patterns import attacks, expressions
from tests.growth.table import EXEMPT, EXPRESSIONS

FOUND = list(expressions())
CONSTANT = sorted({(found.text, found.binary, found.how, found.flags) for found in FOUND if found.constant})


def test_every_expression_of_the_package_is_in_the_table() -> None:
    found: dict[str, list[str]] = {}
    for expression in FOUND:
        found.setdefault(expression.module, []).append(expression.text)
    assert {module: tuple(texts) for module, texts in found.items()} == EXPRESSIONS
    assert EXEMPT.keys() <= {expression.text for expression in FOUND}


@pytest.mark.parametrize(("text", "binary", "how", "flags"), [it for it in CONSTANT if it[0] not in EXEMPT])
def test_an_expression_is_linear_on_repetitions_of_what_it_looks_for(
    text: str, binary: bool, how: str, flags: int
) -> None:
    compiled: Any = re.compile(text.encode("latin-1") if binary else text, flags)
    for unit in attacks(text):

        def make(size: int, unit: str = unit) -> Callable[[], object]:
            given: Any = unit * (size // len(unit)) + "\0"
            if binary:
                given = given.encode("latin-1", "replace")
            return lambda: list(compiled.finditer(given)) if how == "search" else getattr(compiled, how)(given)

        assert not judge_time(make, (300, 3000, 30000)), repr(unit)
