"""The catalogue of rules: those of one suite, or of all suites together."""

from __future__ import annotations

from muxi.testing.transport_suite.rules import Rule, RuleStage, rules_of
from muxi.testing.transport_suite.suites import (
    AsyncInProcessSuite,
    AsyncTransportSuite,
    InProcessSuite,
    TransportSuite,
)

__all__ = ["rules"]


def rules(suite: type[RuleStage] | None = None) -> list[Rule]:
    """The rules that a suite tests, in the order of the contract.

    Args:
        suite: a suite or a subclass of one; without it, the rules of all suites together.
    """
    if suite is not None:
        return rules_of(suite)
    every = (TransportSuite, AsyncTransportSuite, InProcessSuite, AsyncInProcessSuite)
    return list(dict.fromkeys(found for one in every for found in rules_of(one)))
