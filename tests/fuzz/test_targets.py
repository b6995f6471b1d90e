"""A short run of every fuzz target, the same each time; ``make fuzz`` runs them for longer and with other inputs."""

from __future__ import annotations

import pytest

from tests.fuzz import targets
from tests.fuzz.engine import fuzz
from tests.fuzz.registry import TARGETS, Target, TooSlow, run_once

#: Inputs for each target; those that open connections take longer.
_INPUTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_only_errors_of_the_sdk_come_out(name: str) -> None:
    result = fuzz(TARGETS[name], seed=1, count=_INPUTS, stop=1)
    for where, found in (result.broken or {}).items():
        raise AssertionError(f"{where}: {found.data[:300]!r}") from found.error
    assert result.inputs == _INPUTS


def test_all_targets_are_there() -> None:
    assert len(targets.__all__) <= len(TARGETS)
    assert {"answer", "events", "location", "webhook", "cassette", "formation-file", "wire-aiohttp"} <= set(TARGETS)


def test_something_else_that_comes_out_is_found_made_small_and_told_from_others() -> None:
    def fail(data: bytes) -> None:
        if b"\0" in data:
            raise LookupError
        if b"\xff" in data:
            raise OverflowError

    result = fuzz(Target("wrong", fail, lambda: [b"a long input " * 20]), seed=1, count=2000)
    assert result.broken is not None
    assert sorted(type(found.error).__name__ for found in result.broken.values()) == ["LookupError", "OverflowError"]
    assert sorted(found.data for found in result.broken.values()) == [b"\0", b"\xff"]


def test_an_input_that_is_too_dear_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.registry.SLOW", 0.001)

    def work(data: bytes) -> None:
        sum(range(2_000_000))

    with pytest.raises(TooSlow):
        run_once(Target("dear", work, list), b"")
