"""Fixtures of the WSGI transports: what a test leaves open is reported in that test."""

from tests.transports.conftest import _environment

__all__ = ["_environment"]
