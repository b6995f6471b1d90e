"""Which proxy a request goes through: what the transport was given, and what the environment says."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi_transports.http.wire import Origin, basic_credentials

__all__ = ["Proxy", "check_proxies", "parse_proxy", "proxy_for"]

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_KEYS = ("http", "https", "all")


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
    """Whether ``no_proxy`` says to go to an origin directly."""
    try:
        address = ipaddress.ip_address(origin.host)
    except ValueError:
        address = None
    for entry in (entry.strip().lower() for entry in no_proxy.split(",")):
        if not entry:
            continue
        if entry == "*":
            return True
        if "/" in entry:
            with suppress(ValueError):
                if address is not None and address in ipaddress.ip_network(entry, strict=False):
                    return True
        name = entry.removeprefix("*").removeprefix(".")
        for known in (origin.host, f"{origin.host}:{origin.port}", origin.where):
            if known == name or (address is None and known.endswith("." + name)):
                return True
    return False


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
