"""Fixtures of the failover transports: scripted servers, and no proxies from outside."""

from tests.transports.conftest import _environment, serve

__all__ = ["_environment", "serve"]
