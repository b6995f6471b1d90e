"""The proxy of a request, by the transport's options and by the environment."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi_transports.http.wire import Origin, basic_credentials

__all__ = ["Proxy", "check_proxies", "parse_proxy", "proxy_for"]

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_KEYS = ("http", "https", "all")

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Entries of NO_PROXY: a host with a port, and IPv6 in brackets with or without the length of a network's prefix.
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):(\d+)")
_BRACKETED = re.compile(r"\[([^\]]*)\](/\d+)?")


class Proxy(NamedTuple):
    """A proxy, taken apart."""

    #: With user and password, if it has them: never to be shown.
    url: str
    #: Without them.
    address: str
    scheme: str
    #: Host and port, for messages.
    where: str
    user: str | None
    password: str | None
    #: Both as the value of a ``Proxy-Authorization`` header.
    authorization: str | None

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    def __repr__(self) -> str:
        return f"Proxy({self.scheme}://{self.where})"


def proxy_for(origin: Origin, proxies: Mapping[str, str], trust_env: bool) -> str | None:
    """The URL of the proxy for an origin, or None.

    Args:
        origin: where the request goes. To a Unix socket nothing goes through a proxy.
        proxies: by ``scheme://host``, ``scheme``, ``all://host`` or ``all``; ``no_proxy`` lists the hosts that
            are gone to directly (names with what is below them, ``host:port``, networks such as ``10.0.0.0/8``).
        trust_env: whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (and the system's settings) are asked
            where ``proxies`` says nothing.
    """
    if origin.socket is not None:
        return None
    for key in (f"{origin.scheme}://{origin.host}", origin.scheme, f"all://{origin.host}", "all"):
        if proxies.get(key):
            return None if _is_listed(origin, proxies.get("no_proxy", "")) else _with_scheme(proxies[key])
    if not trust_env:
        return None
    found = _of_system(origin) if os.name == "nt" or sys.platform == "darwin" else _of_environment()
    proxy = found.get(origin.scheme) or found.get("all")
    if not proxy or _is_listed(origin, found.get("no", "")):
        return None
    return _with_scheme(proxy)


def _of_environment() -> dict[str, str]:
    """The variables by what stands before ``_proxy``; small letters go before capitals, and empty ones take away.

    :mod:`urllib.request` does the same, and takes longer to load than a request to send.
    """
    found = {name.lower()[:-6]: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    if "REQUEST_METHOD" in os.environ:
        # In a CGI program HTTP_PROXY may be the header "Proxy" of whoever asks.
        found.pop("http", None)
    found.update((name[:-6], value) for name, value in os.environ.items() if name.endswith("_proxy"))
    return found


def _of_system(origin: Origin) -> dict[str, str]:
    """The variables, or where there are none the settings of Windows and macOS."""
    import urllib.request  # slow to load

    return {} if urllib.request.proxy_bypass(origin.where) else urllib.request.getproxies()


def check_proxies(proxies: Mapping[str, str]) -> None:
    """Refuse keys that no request would ever be looked up by: a proxy that is passed over unnoticed.

    Raises:
        ConfigurationError: names the key.
    """
    all_of_them: object = proxies
    if not isinstance(all_of_them, Mapping):
        raise ConfigurationError(
            f"proxies= takes a dict of URLs, got {type(all_of_them).__name__}; one for all is proxies={{'all': URL}}"
        )
    for key, url in proxies.items():
        name: object = key
        if not isinstance(name, str):
            raise ConfigurationError(f"proxies= takes texts as keys, got {type(name).__name__}")
        if key != "no_proxy" and key not in _KEYS and key.partition("://")[0] not in _KEYS:
            raise ConfigurationError(
                f"proxies= knows no {key!r}; its keys are 'http', 'https', 'all', one of these with a host such as "
                "'https://formation.example.org', and 'no_proxy'"
            )
        given: object = url
        if not isinstance(given, str):
            raise ConfigurationError(f"proxies[{key!r}] takes a URL as text, got {type(given).__name__}")


def parse_proxy(url: str) -> Proxy:
    """A proxy's URL taken apart.

    Raises:
        ConfigurationError: it is not a URL, or of a kind that is unknown.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if not host:
        raise ConfigurationError(redact_text(f"{url!r} is not the URL of a proxy"))
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError(
            f"the proxy {host} is addressed by {parts.scheme}://; proxies are {', '.join(_SCHEMES)}"
        )
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return Proxy(
        url,
        address,
        parts.scheme,
        f"{host}:{port}" if port else host,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        basic_credentials(parts),
    )


def _is_listed(origin: Origin, no_proxy: str) -> bool:
    """Return whether an entry of a ``NO_PROXY`` list matches an origin."""
    host = _ascii_name(origin.host.lower().rstrip("."))
    addresses = _addresses_of(host)
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    return any(_matches(entry, host, origin.port, addresses) for entry in entries if entry)


def _matches(entry: str, host: str, port: int, addresses: Sequence[_Address]) -> bool:
    """Return whether one matches: ``*``, an address, a network, or a domain with its subdomains; a port is optional.

    Args:
        entry: the entry, in lower case.
        host: the host without a final dot.
        port: the port of the origin.
        addresses: the host as an address, in each version of IP that can write it; empty for a name.
    """
    if entry == "*":
        return True
    network = _network_of(entry)
    if network is None and (parts := _WITH_PORT.fullmatch(entry)):
        entry = parts[1]
        if int(parts[2]) != port:
            return False
        network = _network_of(entry)
    if network is not None:
        return any(address in network for address in addresses)
    name = _ascii_name(entry.removeprefix("*").removeprefix(".").rstrip("."))
    return name == host or bool(name and not addresses and host.endswith(f".{name}"))


def _addresses_of(host: str) -> list[_Address]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return []
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return [address] if mapped is None else [address, mapped]


def _network_of(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network that an entry names, an address as a network of one; brackets around IPv6 are taken off."""
    parts = _BRACKETED.fullmatch(entry)
    try:
        return ipaddress.ip_network(f"{parts[1]}{parts[2] or ''}" if parts else entry, strict=False)
    except ValueError:
        return None


def _ascii_name(name: str) -> str:
    """Return a domain name as URLs have it on the wire (IDNA 2008, UTS 46), or as it is if it has no such form."""
    if name.isascii():
        return name
    import idna  # installed with requests

    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        return name


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
