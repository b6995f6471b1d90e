"""What a rule of the suite is: a test with the sentence of the contract that it holds a transport to."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

__all__ = ["PAGE", "Rule", "RuleBroken", "RuleStage", "rule", "rules_of"]

#: The page of the documentation that has an anchor for each rule.
PAGE = "transports/testing.html"


class RuleStage(Protocol):
    """The part of a stage that the test of a rule needs."""

    skips: ClassVar[Mapping[str, str]]

    def set_up(self) -> AbstractContextManager[None]:
        """Run a scenario, and clear up after it."""
        ...


S = TypeVar("S", bound=RuleStage)


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

        run.rule = held  # type: ignore[attr-defined]  # what rules() finds it by
        return run

    return mark


@contextmanager
def explained(broken: Rule) -> Iterator[None]:
    """Whatever goes wrong, as a rule that is broken."""
    try:
        yield
    except unittest.SkipTest:
        raise
    except AssertionError as error:
        raise RuleBroken(broken, str(error)) from error
    except Exception as error:
        raise RuleBroken(broken, f"{type(error).__name__} was raised: {error}") from error


def rules_of(suite: type[RuleStage]) -> list[Rule]:
    """The rules that a suite tests, in the order of the contract.

    Args:
        suite: a suite or a subclass of one.
    """
    found: list[Rule] = []
    for part in reversed(suite.__mro__):
        for value in vars(part).values():
            held = getattr(value, "rule", None)
            if isinstance(held, Rule) and held not in found:
                found.append(held)
    return found
