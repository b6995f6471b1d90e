"""The warning of keys that are sent unencrypted over a network."""

from __future__ import annotations

import ipaddress
import warnings
from functools import lru_cache
from urllib.parse import urlsplit

from muxi.transport.callers import caller_level

__all__ = ["is_loopback", "warn_of_key"]

#: Hosts that a key has been sent to in the clear, each warned about once.
_warned: set[str] = set()


def warn_of_key(url: str, *, private: bool) -> None:
    """Warn of a key that is sent unencrypted over a network, once for each host.

    Args:
        url: address of the request.
        private: whether requests stay in this process.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or private or host in _warned or is_loopback(host):
        return
    _warned.add(host)
    warnings.warn(f"a key is sent to {host} over plain http, readable on the way; use https", stacklevel=caller_level())


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine: ``localhost``, a name below it, or a loopback address."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False  # a name, whatever it begins with
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
