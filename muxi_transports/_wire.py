"""What the HTTP transports share about the wire: URLs, header text, the environment's proxies, trust in TLS."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from muxi.errors import ConfigurationError, ValidationError
from muxi.redact import redact_text
from muxi.transport import Body, Headers

__all__ = ["Origin", "ca_bundle", "proxy_for", "received_headers", "sendable_headers", "split_url", "tls_context"]

#: What is asked for unless the request says otherwise: what both transports can decode as it arrives.
ACCEPT_ENCODING = "gzip, deflate"
#: How much is read or written at a time, in bytes.
PIECE = 64 * 1024

_UNSENDABLE = re.compile(r"[^\x21-\x7e]")
_ORIGIN = re.compile(r"[a-zA-Z]+://[^/?#]*")


class Origin(NamedTuple):
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    #: The value of an ``Authorization`` header, out of a user and password in the URL.
    authorization: str | None

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def split_url(url: str) -> tuple[str, str]:
    """The beginning of a URL up to its path, and the request target exactly as it stands there.

    Raises:
        ConfigurationError: it has characters that would break out of the request line, or no host.
    """
    found = _ORIGIN.match(url)
    if found is None or _UNSENDABLE.search(url):
        raise ConfigurationError(
            redact_text(f"{url!r} is not a URL that can be sent; it has to be absolute and percent-encoded")
        )
    target = url[found.end() :].partition("#")[0]
    return found[0], target if target.startswith("/") else "/" + target


def parse_origin(base: str) -> Origin:
    """Scheme, host and port of a URL's beginning.

    Raises:
        ConfigurationError: not http(s), no host, or no such port.
    """
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(redact_text(f"{base!r} is not a URL: {error}")) from error
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(redact_text(f"{base!r} is not an http or https URL"))
    if not host:
        raise ConfigurationError(redact_text(f"{base!r} names no host"))
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Origin(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), authorization)


def sendable_headers(headers: Headers, body: Body | None, authorization: str | None = None) -> dict[str, str]:
    """The headers of a request with those added that every request has; the body's framing is stated truthfully.

    Values of one name are joined by commas.
    """
    sendable: dict[str, str] = {}
    for name in headers:
        if body is None or name.lower() not in ("content-length", "transfer-encoding"):
            sendable[name] = headers[name]
    if "accept-encoding" not in headers:
        sendable["Accept-Encoding"] = ACCEPT_ENCODING
    if authorization is not None and "authorization" not in headers:
        sendable["Authorization"] = authorization
    if body is not None and body.length is not None:
        sendable["Content-Length"] = str(body.length)
    return sendable


def received_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer; what a sloppy server folded over lines or broke is mended or left out.

    Args:
        pairs: names, and values decoded as ISO 8859-1 (as HTTP libraries do).
    """
    found = [(name, value if value.isascii() else _as_utf8(value)) for name, value in pairs]
    try:
        return Headers(found)
    except ValidationError:
        headers = Headers()
        for name, value in found:
            try:
                headers.add(name, re.sub(r"[\r\n\0]+[ \t]*", " ", value))
            except ValidationError:
                continue
        return headers


def _as_utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def proxy_for(origin: Origin, proxies: Mapping[str, str], trust_env: bool) -> str | None:
    """The URL of the proxy for an origin, or None.

    Args:
        proxies: by ``scheme://host``, ``scheme``, ``all://host`` or ``all``; ``no_proxy`` lists the hosts that
            are gone to directly (names with what is below them, ``host:port``, networks such as ``10.0.0.0/8``).
        trust_env: whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (and the system's settings) are asked
            where ``proxies`` says nothing.
    """
    for key in (f"{origin.scheme}://{origin.host}", origin.scheme, f"all://{origin.host}", "all"):
        if proxies.get(key):
            return None if _is_listed(origin, proxies.get("no_proxy", "")) else _with_scheme(proxies[key])
    if not trust_env:
        return None
    found = urllib.request.getproxies()
    proxy = found.get(origin.scheme) or found.get("all")
    if not proxy or _is_listed(origin, found.get("no", "")) or urllib.request.proxy_bypass(origin.where):
        return None
    return _with_scheme(proxy)


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


def proxy_address(proxy: str) -> str:
    """Host and port of a proxy's URL, for messages.

    Raises:
        ConfigurationError: it is not a URL.
    """
    try:
        parts = urlsplit(proxy)
        if parts.hostname:
            return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        pass
    raise ConfigurationError(redact_text(f"{proxy!r} is not the URL of a proxy"))


def ca_bundle(verify: bool | str, trust_env: bool) -> str | None:
    """The file or directory with the certificate authorities to trust; None where nothing is verified."""
    if verify is False:
        return None
    if verify is True:
        named = (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")) if trust_env else None
        if named:
            return named
        import certifi

        return certifi.where()
    return verify


def tls_context(verify: bool | str, cert: str | tuple[str, str] | None, trust_env: bool) -> ssl.SSLContext:
    """What TLS connections are made with. Loading the authorities takes milliseconds: share it.

    Raises:
        ConfigurationError: a file is not there, or is not what it should be.
    """
    bundle = ca_bundle(verify, trust_env)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if bundle is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif os.path.isdir(bundle):  # noqa: PTH112  a string all the way
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:
        named = f"cert={cert!r}" if bundle is None else f"verify={bundle!r}" + (f", cert={cert!r}" if cert else "")
        raise ConfigurationError(f"the TLS settings ({named}) cannot be used: {error.strerror or error}") from error
    return context
