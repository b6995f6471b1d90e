"""What tests need from outside the repository: a test without it is skipped, or fails where everything must run."""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

import pytest

__all__ = ["REQUIRE_ALL", "report_missing", "require_module"]

#: Set by continuous integration: no test may be skipped.
REQUIRE_ALL = os.environ.get("MUXI_REQUIRE_ALL") == "1"


def report_missing(what: str, remedy: str) -> NoReturn:
    """Skip the test for want of something, or fail it where ``MUXI_REQUIRE_ALL=1`` is set.

    Args:
        what: what is missing, as the beginning of a sentence.
        remedy: how to get it.
    """
    message = f"{what}; {remedy}"
    if REQUIRE_ALL:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_module(name: str) -> Any:  # Any: a module, whose names no type checker knows
    """Import a module of the development environment, or report it missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        report_missing(f"{name} is not installed", "pip install --editable '.[dev]' installs it, as make test does")
