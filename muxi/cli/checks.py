"""The checks of ``muxi-client doctor``: each is a line with its remedy."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from muxi.cli.options import CommandTarget
    from muxi.profiles import ChosenSettings
    from muxi.result import RawResponse

__all__ = ["Check", "run_checks"]

Verdict = Literal["ok", "warning", "failed"]

#: Seconds that a look at the network may take.
TIMEOUT = 5.0

#: Days before the end of a certificate from which on it is a warning.
_EXPIRY_DAYS = 14

#: Seconds that this clock and the server's may differ; signatures are refused from 300 on.
_SKEW = 60.0


class Check(NamedTuple):
    """The outcome of one check."""

    name: str
    verdict: Verdict
    found: str
    #: What to do; empty where nothing is wrong.
    remedy: str = ""


def run_checks(target: CommandTarget) -> Iterator[Check]:
    """Yield the outcome of each check, in order; what cannot be checked without an earlier one is left out."""
    from muxi.errors import MuxiError

    yield from check_installation()
    settings = yield from _check_settings(target)
    if settings is None:
        return
    addresses = {name: settings.value(name) for name in ("server_url", "url")}
    for name, address in addresses.items():
        if address:
            yield from check_network("server" if name == "server_url" else "formation", address)
    try:
        yield from _check_platform(target, settings)
    except MuxiError as error:
        # A client cannot be made.
        yield Check("client", "failed", error.message, "see the failed checks above")


def check_installation() -> Iterator[Check]:
    """Check the distribution, Python, plugins and transports."""
    from muxi.cli.inventory import find_plugins, find_transports, missing_extras
    from muxi.client.environment import conflicts
    from muxi.errors import MuxiError
    from muxi.version import __version__

    yield Check("distribution", "ok", f"muxi-client {__version__} at {os.path.dirname(_package_file())}")
    for conflict in conflicts():
        what, _, remedy = conflict.partition(" Run: ")
        yield Check("distribution", "failed", what, f"run: {remedy}")
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", "ok", f"{version} at {sys.executable}")
    for extra, module in missing_extras():
        yield Check(
            "extras", "warning", f"[{extra}] lacks {module}", f"if you need it: pip install 'muxi-client[{extra}]'"
        )
    try:
        plugins = find_plugins()
    except MuxiError as error:
        yield Check("plugins", "failed", error.message, "MUXI_DISABLE_PLUGINS=NAME goes without a plugin")
    else:
        on = [row["name"] for row in plugins if row["state"] == "on"]
        yield Check("plugins", "ok", f"{len(on)} on every client: {', '.join(on)}")
        for row in plugins:
            if row["order"] is None and "cannot be loaded" in row["state"]:
                remedy = f"repair {row['distribution']}, or go without it: MUXI_DISABLE_PLUGINS={row['name']}"
                yield Check("plugins", "failed", row["state"], remedy)
    yield from _check_transports(find_transports())


def _package_file() -> str:
    import muxi

    return muxi.__file__ or "?"


def _check_transports(rows: list[dict[str, Any]]) -> Iterator[Check]:
    chosen = [row["name"] for row in rows if row["chosen"]]
    if chosen:
        yield Check("transports", "ok", f"{chosen[0]} is used; known are {', '.join(row['name'] for row in rows)}")
    else:
        wanted = os.environ.get("MUXI_TRANSPORT", "")
        yield Check(
            "transports", "failed", f"MUXI_TRANSPORT={wanted} names none", "unset it, or install that transport"
        )
    for row in rows:
        if row["state"] != "ok":
            fatal = row["chosen"] and not row["sync"]
            yield Check("transports", "failed" if fatal else "warning", f"{row['name']}: {row['state']}", "see above")


def _check_settings(target: CommandTarget) -> Generator[Check, None, ChosenSettings | None]:
    from muxi.cli.options import brings_address
    from muxi.errors import ConfigurationError

    try:
        settings = target.settings
    except ConfigurationError as error:
        yield Check("settings", "failed", error.message, "correct the file or the option that it names")
        return None
    for found in settings.values():
        yield Check("settings", "ok", f"{found.name} = {found.shown}, from {found.source}")
    if not settings.value("server_url") and not settings.value("url") and not brings_address():
        yield Check("settings", "failed", "no server and no formation is chosen", "muxi-client profiles add NAME")
    return settings


def check_network(what: str, url: str) -> Iterator[Check]:
    """Check the way to an address: name, proxy, connection, certificate."""
    from muxi.cli.inventory import explain_route
    from muxi.errors import MuxiError
    from muxi.registry import chosen_transport

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Check("address", "ok", f"{what}: {url}")
        return
    host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme == "http":
        loopback = host == "localhost" or host.startswith("127.") or host == "::1"
        yield Check(
            "address", "warning", f"{what}: plain http to {host}",
            "fine on this machine" if loopback else "keys travel readable; use https",
        )  # fmt: skip
    route = ""
    try:
        route = explain_route(str(chosen_transport(None)), url) or ""
    except MuxiError as error:
        yield Check("route", "failed", error.message, "correct the proxy's variable")
    if route:
        yield Check("route", "ok", f"{what}: {route}")
    if "proxy " in route and "no proxy" not in route:
        return  # whether the name is known, and what listens, the proxy knows
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Check("name", "failed", f"{host} is not known: {error.strerror or error}", "check the name, and the DNS")
        return
    yield Check("name", "ok", f"{host} is {', '.join(dict.fromkeys(str(one[4][0]) for one in found))}")
    started = time.perf_counter()
    try:
        connection = socket.create_connection((host, port), TIMEOUT)
    except OSError as error:
        remedy = f"is it running, and does a firewall let port {port} through?"
        yield Check("connection", "failed", f"{host}:{port}: {error.strerror or error}", remedy)
        return
    with connection:
        yield Check("connection", "ok", f"{host}:{port} in {(time.perf_counter() - started) * 1000:.0f} ms")
        if parts.scheme == "https":
            yield check_certificate(connection, host)


def check_certificate(connection: socket.socket, host: str) -> Check:
    """Check the certificate of a host: its chain, its name, and its end."""
    import ssl

    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or _bundle())
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            certificate: Any = secured.getpeercert()
            protocol = secured.version()
    except ssl.SSLCertVerificationError as error:
        remedy = "give the authority's file with verify=, or in REQUESTS_CA_BUNDLE"
        return Check("certificate", "failed", f"{host}: {error.verify_message}", remedy)
    except OSError as error:
        return Check("certificate", "failed", f"{host}: {error}", "does https run on this port?")
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86_400
    issuer = dict(pair for part in certificate.get("issuer", ()) for pair in part).get("organizationName", "?")
    found = f"{host}: {protocol}, issued by {issuer}, ends in {days:.0f} days"
    if days < _EXPIRY_DAYS:
        return Check("certificate", "warning", found, "renew it")
    return Check("certificate", "ok", found)


def _bundle() -> str | None:
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _check_platform(target: CommandTarget, settings: ChosenSettings) -> Iterator[Check]:
    options: dict[str, Any] = {"timeout": TIMEOUT, "connect_timeout": TIMEOUT, "max_retries": 0}
    if settings.value("server_url"):
        with target.server_client(**options) as server:
            health = yield from _ask("server", server.with_raw_response.health)
            if health is not None:
                yield from _check_skew(health)
                if settings.value("key_id") and settings.value("secret_key"):
                    yield from _check_key("key_id", settings["key_id"].shown, server.status)
    if "url" in settings or {"server_url", "formation_id"} <= settings.keys():
        with target.formation_client(**options) as formation:
            if (yield from _ask("formation", formation.with_raw_response.health)) is None:
                return
            if "client_key" in settings:
                yield from _check_key("client_key", settings["client_key"].shown, lambda: formation.get_sessions("0"))
            if "admin_key" in settings:
                yield from _check_key("admin_key", settings["admin_key"].shown, formation.get_status)


def _ask(what: str, health: Callable[[], RawResponse[Any]]) -> Generator[Check, None, RawResponse[Any] | None]:
    from muxi.errors import MuxiError

    try:
        answer = health()
    except MuxiError as error:
        yield Check(what, "failed", str(error), f"is the {what} there?")
        return None
    version = answer.data.get("version") or "of unknown version"
    yield Check(what, "ok", f"{answer.data.get('status', 'answers')}, {version}, in {answer.elapsed * 1000:.0f} ms")
    return answer


def _check_skew(answer: RawResponse[Any]) -> Iterator[Check]:
    date = answer.headers.get("Date")
    if not date:
        return
    try:
        skew = time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return
    # The header has whole seconds.
    found = f"this clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's"
    if abs(skew) > _SKEW:
        yield Check("clock", "warning", found, "signatures are dated; set the clock (NTP)")
    else:
        yield Check("clock", "ok", found)


def _check_key(name: str, shown: str, call: Any) -> Iterator[Check]:
    from muxi.errors import AuthenticationError, AuthorizationError, MuxiError

    try:
        call()
    except (AuthenticationError, AuthorizationError) as error:
        yield Check(
            "key", "failed", f"{name} {shown} is refused: {error.code}", "correct it where settings show its source"
        )
    except MuxiError as error:
        yield Check("key", "warning", f"{name} {shown} could not be checked: {error.code}")
    else:
        yield Check("key", "ok", f"{name} {shown} is accepted")
