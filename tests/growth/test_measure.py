"""The judges of growth find what is quadratic, cubic or exponential, and nothing that is linear."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.growth.measure import TooSlow, count_steps, judge_steps, judge_time

SIZES = (300, 3000, 30000)


def run_on(function: Callable[[str], object], unit: str = "a") -> Callable[[int], Callable[[], object]]:
    def make(size: int) -> Callable[[], object]:
        text = unit * size
        return lambda: function(text)

    return make


def compare_pairs(text: str) -> int:
    return sum(1 for one in text for other in text if one == other)


def split_for_each_line(text: str) -> None:
    for number in range(text.count("\n")):
        text.splitlines()[number]


def cut_from_the_front(text: str) -> None:
    while text:
        text = text[1:]


def count_down(text: str) -> None:
    items = list(text)
    while items:
        items.pop(0)


def read_once(text: str) -> None:
    for line in text.splitlines():
        line.partition("a")


@pytest.mark.parametrize(("function", "unit"), [(compare_pairs, "a"), (split_for_each_line, "a\n"), (count_down, "a")])
def test_steps_find_a_quadratic_function(function: Callable[[str], object], unit: str) -> None:
    assert judge_steps(run_on(function, unit))


@pytest.mark.parametrize("function", [pytest.param(cut_from_the_front, marks=pytest.mark.slow), count_down])
def test_time_finds_quadratic_work_of_c(function: Callable[[str], object]) -> None:
    assert judge_time(run_on(function), (2000, 20000, 200000))


@pytest.mark.parametrize(
    "pattern",
    [
        "a*b",  # quadratic when it is searched for
        "\\s+$",
        # What runs until it is broken off is judged among the slow tests.
        pytest.param("a*a*a*b", marks=pytest.mark.slow),  # cubic and more
        pytest.param("(a|a)*b", marks=pytest.mark.slow),  # exponential
    ],
)
def test_time_finds_an_expression_that_is_more_than_linear(pattern: str) -> None:
    found = re.compile(pattern)
    unit = " " if "s" in pattern else "a"
    assert judge_time(run_on(lambda text: list(found.finditer(text + "c")), unit), SIZES)


@pytest.mark.parametrize("pattern", ["a", "[^b]", "a{3}", "(?<!a)a+b"])
def test_time_lets_a_linear_expression_pass(pattern: str) -> None:
    found = re.compile(pattern)
    assert not judge_time(run_on(lambda text: list(found.finditer(text))), SIZES)


def test_a_linear_function_passes_both() -> None:
    assert not judge_steps(run_on(read_once, "ab\n"))
    assert not judge_time(run_on(read_once, "ab\n"), SIZES)


def test_steps_are_the_same_in_every_run() -> None:
    assert len({count_steps(lambda: read_once("ab\n" * 100)).cost for _ in range(3)}) == 1


def test_a_run_with_too_many_steps_is_broken_off() -> None:
    with pytest.raises(TooSlow):
        count_steps(lambda: compare_pairs("a" * 1000), most=500)
