"""Fixtures of the tests of the built-in plugins."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def logger() -> logging.Logger:
    """A logger that nobody else knows, without handlers on the way up."""
    return logging.Logger("tests.plugins.log")
