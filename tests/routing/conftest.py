"""Fixtures of the routing transports: no proxies from outside."""

from tests.transports.conftest import _environment

__all__ = ["_environment"]
