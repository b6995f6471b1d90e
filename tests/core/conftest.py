"""Fixtures of the tests of calls, clients and plugins."""

from __future__ import annotations

import pytest

from tests.core.hello import Diary


@pytest.fixture
def diary() -> Diary:
    """A plugin that writes down what it is told."""
    return Diary()
