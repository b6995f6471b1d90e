"""Rules of the suite: tests, each with the sentence of the contract that it proves."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

__all__ = ["PAGE", "Rule", "RuleBroken", "rule", "rules_of"]

#: The page of the documentation that has an anchor for each rule.
PAGE = "transports/testing.html"

S = TypeVar("S", bound="_Stage")


class _Stage(Protocol):
    """A stage, as far as a rule uses it; see :class:`muxi.testing.transport_suite.stage.Stage`."""

    skips: ClassVar[Mapping[str, str]]

    def set_up(self) -> AbstractContextManager[None]: ...


class RuleBroken(AssertionError):
    """A transport does not do what the contract says.

    Args:
        rule: which rule it breaks.
        seen: what it did instead.
    """

    def __init__(self, rule: Rule, seen: str) -> None:
        super().__init__(
            f"the rule {rule.name!r} is broken: {rule.text}\n"
            f"  seen: {seen}\n  why it matters: {rule.why}\n  written down in: {PAGE}#{rule.name}"
        )
        self.rule = rule
        self.seen = seen


@dataclass(frozen=True)
class Rule:
    """One sentence of the contract of transports."""

    #: What ``skips`` and the documentation call it; the test is named the same.
    name: str
    #: What a transport does.
    text: str
    #: What goes wrong where it does not.
    why: str
    #: The part of the contract that it belongs to.
    section: str
    #: The test's name.
    test: str


def rule(text: str, why: str) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
    """Make a scenario the test of a rule.

    The test runs on a stage of its own, which is cleared afterwards. Whatever it fails with, an exception of the
    transport included, comes out as :class:`RuleBroken`.

    Args:
        text: what a transport does, as a sentence.
        why: what goes wrong where it does not.
    """

    def mark(scenario: Callable[[S], None]) -> Callable[[S], None]:
        section = scenario.__module__.rpartition(".")[2]
        test = scenario.__name__
        held = Rule(test.removeprefix("test_").replace("_", "-"), text, why, section, test)

        @functools.wraps(scenario)
        def run(stage: S) -> None:
            if held.name in stage.skips:
                raise unittest.SkipTest(f"{held.name}: {stage.skips[held.name]}")
            with explained(held), stage.set_up():
                scenario(stage)

        run.rule = held  # type: ignore[attr-defined]  # rules_of() finds it by this
        return run

    return mark


@contextmanager
def explained(broken: Rule) -> Iterator[None]:
    """Turn any failure into a broken rule."""
    try:
        yield
    except unittest.SkipTest:
        raise
    except AssertionError as error:
        raise RuleBroken(broken, str(error)) from error
    except Exception as error:
        raise RuleBroken(broken, f"{type(error).__name__} was raised: {error}") from error


def rules_of(suite: type) -> list[Rule]:
    """Return the rules that a suite, or a part of one, tests, in the order of the contract."""
    found: list[Rule] = []
    for part in reversed(suite.__mro__):
        for value in vars(part).values():
            held = getattr(value, "rule", None)
            if isinstance(held, Rule) and held not in found:
                found.append(held)
    return found
