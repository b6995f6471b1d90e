"""Fixtures of the tests of built-in plugins: those of the core."""

from tests.core.conftest import _clean_environment, clock, colour

__all__ = ["_clean_environment", "clock", "colour"]
