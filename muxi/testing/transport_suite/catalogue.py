"""The list of all rules, above the suites that test them."""

from __future__ import annotations

from muxi.testing.transport_suite.rules import Rule, rules_of
from muxi.testing.transport_suite.stage import Stage
from muxi.testing.transport_suite.suites import (
    AsyncInProcessSuite,
    AsyncTransportSuite,
    InProcessSuite,
    TransportSuite,
)

__all__ = ["rules"]


def rules(suite: type[Stage] | None = None) -> list[Rule]:
    """The rules that a suite tests, in the order of the contract.

    Args:
        suite: a suite or a subclass of one; without it, the rules of all suites together.
    """
    if suite is not None:
        return rules_of(suite)
    suites = (TransportSuite, AsyncTransportSuite, InProcessSuite, AsyncInProcessSuite)
    return list(dict.fromkeys(rule for each in suites for rule in rules_of(each)))
