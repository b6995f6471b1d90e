"""Settings: arguments over environment over defaults, checked and named before anything is sent.

An option is defined in one place, as a field of one of the classes here. What repeats it is derived: the keyword
arguments of the constructors and of ``with_options()`` (at run time from the fields, for type checkers in
:mod:`muxi.client.arguments`, which ``make arguments`` writes), and the options of a single call.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeVar

from muxi.clock import Clock
from muxi.errors import ConfigurationError, MuxiError
from muxi.lazy import LazyModule
from muxi.records import Record, field, fields, replace
from muxi.redact import REDACTED, redact_text, show_value
from muxi.transport import AsyncTransport, Headers, Transport

if TYPE_CHECKING:
    import logging
else:
    logging = LazyModule("logging")

__all__ = ["Address", "CallOptions", "ClientConfig", "FormationConfig", "Options", "Secret", "ServerConfig"]

#: A key, or a function that returns it (on async clients also a coroutine function): a vault, a token service.
Secret = str | Callable[[], str] | Callable[[], Awaitable[str]]

#: What ``transport=`` takes: a registered name, a transport, or a function that returns one.
TransportChoice = str | Transport | AsyncTransport | Callable[[], Transport] | Callable[[], AsyncTransport]

#: Values of an environment variable that switch something on.
_TRUE = frozenset({"1", "true", "yes", "on"})

#: The longest time limit, in seconds (23 days); sockets take no longer one.
MAX_SECONDS = 2_000_000.0

#: Characters that stay in the path of a URL, of RFC 3986 and what is percent-encoded already.
_PATH = "/%:@!$&'()*+,;=~"

#: Default of ``max_answer_bytes``: 64 MiB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

S = TypeVar("S", bound="Options")


class Address(Record, frozen=True):
    """The address that a client sends its calls to."""

    #: Prefix of every path, without a slash at its end.
    base_url: str
    #: Whether a server's proxy stands between the client and the formation.
    proxied: bool = False


class Options(Record):
    """Settings that may differ from call to call: the constructors take them, and ``with_options()`` replaces them."""

    #: How often a call is sent again at the most, where it may be at all.
    max_retries: int = 3
    #: Seconds for one attempt, from connecting to the last byte. Not for streams.
    timeout: float = 30.0
    #: Seconds to make a connection.
    connect_timeout: float = field(default=10.0, kw_only=True)
    #: Seconds for a whole call with its retries and waits; None is no bound.
    deadline: float | None = field(default=None, kw_only=True)
    #: Seconds of a stream without a single byte; None is no bound, the default depends on the stream.
    idle_timeout: float | Literal["default"] | None = field(default="default", kw_only=True)
    #: Seconds of a stream without an event, keepalives or not; None is no bound.
    stall_timeout: float | Literal["default"] | None = field(default="default", kw_only=True)
    #: Headers sent with every request.
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    #: The largest answer that is read into memory, in bytes after decompression; None is no bound. Not for downloads
    #: and streams.
    max_answer_bytes: int | None = field(default=MAX_ANSWER_BYTES, kw_only=True)
    #: What becomes of an answer that does not fit its schema: ``"warn"`` returns it and logs it once, ``"strict"``
    #: raises, ``"off"`` skips the check.
    validate_responses: Literal["warn", "strict", "off"] = field(default="warn", kw_only=True)

    def check(self) -> None:
        """Refuse invalid options.

        Raises:
            ConfigurationError: an option is invalid; the message names it.
        """
        retries: object = self.max_retries
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ConfigurationError(f"max_retries= takes a whole number from 0 up, got {show_value(retries)}")
        for name in ("timeout", "connect_timeout", "deadline", "idle_timeout", "stall_timeout"):
            _check_seconds(name, getattr(self, name), optional=name not in ("timeout", "connect_timeout"))
        _check_headers(self.headers)
        size: object = self.max_answer_bytes
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ConfigurationError(
                f"max_answer_bytes= takes a whole number of bytes from 1 up, got {show_value(size)}; None is no bound"
            )
        if self.validate_responses not in ("warn", "strict", "off"):
            raise ConfigurationError(
                f"validate_responses= is 'warn', 'strict' or 'off', got {show_value(self.validate_responses)}"
            )

    def replaced(self: S, **changes: Any) -> S:
        """Return a copy with some options changed; ``headers`` are added to those there are.

        Raises:
            ConfigurationError: an option is unknown or invalid.
        """
        if unknown := changes.keys() - {item.name for item in fields(self)}:
            raise ConfigurationError(f"there is no option {', '.join(sorted(unknown))}")
        if "headers" in changes:
            _check_headers(changes["headers"])
            changes["headers"] = {**self.headers, **changes["headers"]}
        found = replace(self, **changes)
        found.check()
        return found


class CallOptions(Options):
    """The options of one call, as plugins see them in ``context.options``."""

    #: Sent with each attempt, so that the platform answers a repetition with the first answer; None makes one per call.
    idempotency_key: str | None = field(default=None, kw_only=True)
    #: Whether closing a chat early also sends a cancel.
    cancel_on_close: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, config: Options, *, cancel_on_close: bool = False) -> CallOptions:
        """Return the options that a configuration has."""
        given = {item.name: getattr(config, item.name) for item in fields(Options)}
        given["headers"] = dict(config.headers)
        return cls(**given, cancel_on_close=cancel_on_close)

    def check(self) -> None:
        super().check()
        _check_switch("cancel_on_close", self.cancel_on_close)
        key: object = self.idempotency_key
        if key is None:
            return
        if not isinstance(key, str) or not key.strip():
            raise ConfigurationError("idempotency_key= takes a text that is not empty; the platform ignores empty ones")
        try:
            Headers([("Idempotency-Key", key)])
        except MuxiError as error:
            raise ConfigurationError(f"idempotency_key= cannot be sent: {error.message}") from None

    def __repr__(self) -> str:
        return _describe(self)


class ClientConfig(Options):
    """Settings of a client of either kind.

    Fields that may be given by position keep the order of the official SDK; the rest is by name only.
    """

    #: Log every attempt, also where the program has not set up any logging.
    debug: bool = False
    #: Logger in place of ``logging.getLogger("muxi")``.
    logger: logging.Logger | None = None
    #: A registered name, a transport, or a function that returns one.
    transport: TransportChoice | None = field(default=None, kw_only=True)
    #: Plugins of this client, beside the built-in ones and those of entry points.
    plugins: Sequence[object] = field(default=(), kw_only=True)
    #: Names of plugins that this client goes without, such as ``muxi.retry``.
    disable_plugins: Sequence[str] = field(default=(), kw_only=True)
    #: Clock for all waits and timestamps; tests give a :class:`muxi.ManualClock`.
    clock: Clock | None = field(default=None, kw_only=True)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # Also what copy.deepcopy() does; dataclasses.replace() and copy.copy() make a copy.
        secrets = [item.name for item in fields(self) if not item.repr and isinstance(getattr(self, item.name), str)]
        if secrets or self.headers:
            raise TypeError(
                f"a {type(self).__name__} with {' and '.join([*secrets, *(['headers'] if self.headers else [])])} does "
                "not pickle: keys would go along. Make it where it is needed, with keys from the environment or a "
                "function"
            )
        return super().__reduce_ex__(protocol)

    def __copy__(self: S) -> S:
        return replace(self)

    def check(self) -> None:
        super().check()
        _check_switch("debug", self.debug)
        for name in ("url", "server_url", "base_url"):
            url: object = getattr(self, name, None)
            if url is not None and not isinstance(url, str):
                raise ConfigurationError(f"{name}= takes a URL as text, got {type(url).__name__}")
        clock: object = self.clock
        if clock is not None and not isinstance(clock, Clock):
            raise ConfigurationError(f"clock= takes a muxi.Clock, got {type(clock).__name__}")

    def _debugging(self) -> bool:
        return self.debug or os.environ.get("MUXI_DEBUG", "").strip().lower() in _TRUE


class _FormationAccess(Record):
    """The address of a formation and its keys; a base of its own, so that these fields come first."""

    #: The formation's id on a server; goes with ``server_url``.
    formation_id: str | None = None
    #: The formation itself, with or without its version path.
    url: str | None = None
    #: The server in front of the formation; goes with ``formation_id``.
    server_url: str | None = None
    #: The formation itself, with the version path, taken as it is.
    base_url: str | None = None
    #: The key of admin routes, or a function that returns it.
    admin_key: Secret | None = field(default=None, repr=False)
    #: The key of client routes, or a function that returns it.
    client_key: Secret | None = field(default=None, repr=False)


class FormationConfig(ClientConfig, _FormationAccess):
    """All settings of a formation client; the same names as its constructor takes.

    Address it in one of three ways: ``server_url`` with ``formation_id`` (through a server's proxy; with
    ``mode="draft"`` its draft), ``url`` (the formation itself), or ``base_url`` (with the version path).
    """

    #: Behind a server: the deployed formation, or its draft.
    mode: Literal["live", "draft"] = "live"
    #: Whether closing a chat early also sends a cancel; None does so behind a server's proxy only.
    cancel_on_close: bool | None = field(default=None, kw_only=True)

    def check(self) -> None:
        super().check()
        if self.cancel_on_close is not None:
            _check_switch("cancel_on_close", self.cancel_on_close)

    @property
    def addressed(self) -> bool:
        """True if the configuration has an address, complete or not."""
        return any((self.url, self.base_url, self.server_url, self.formation_id))

    def resolved(self) -> FormationConfig:
        """Return a copy with all settings resolved: this one's, the environment's, or the default.

        Raises:
            ConfigurationError: a setting is invalid.
        """
        self.check()
        if self.mode not in ("live", "draft"):
            raise ConfigurationError(f"mode= is 'live' or 'draft', got {show_value(self.mode)}")
        found = replace(self)
        if not self.addressed:
            found.url = _environment("MUXI_FORMATION_URL")
            if not found.url:
                found.server_url = _environment("MUXI_SERVER_URL")
                found.formation_id = _environment("MUXI_FORMATION_ID")
        found.formation_id = _text_key("formation_id", found.formation_id, None)
        found.client_key = _key("client_key", self.client_key, "MUXI_CLIENT_KEY")
        found.admin_key = _key("admin_key", self.admin_key, "MUXI_ADMIN_KEY")
        found.debug = self._debugging()
        return found

    def address(self) -> Address:
        """Return the address that calls go to.

        Raises:
            ConfigurationError: something is missing; the message names the arguments and the variables.
        """
        if self.base_url:
            return Address(_checked_url("base_url", self.base_url))
        if self.url:
            url = _checked_url("url", self.url)
            # Documentation shows both forms: the formation's own URL, and the same with its version path.
            return Address(url if url.endswith("/v1") else f"{url}/v1")
        if not self.server_url and not self.formation_id:
            raise ConfigurationError(
                "where is the formation? Give url= (or set MUXI_FORMATION_URL) for a formation by itself, or "
                "server_url= and formation_id= (or set MUXI_SERVER_URL and MUXI_FORMATION_ID) for one behind a server"
            )
        if not self.server_url:
            raise ConfigurationError("formation_id= needs server_url= beside it (or set MUXI_SERVER_URL for both)")
        if not self.formation_id:
            raise ConfigurationError("server_url= needs formation_id= beside it (or set MUXI_FORMATION_ID for both)")
        if self.formation_id.strip() in ("", ".", "..") or not set(self.formation_id).isdisjoint("/?#%"):
            raise ConfigurationError(f"formation_id={self.formation_id!r} cannot be an id: it would lead elsewhere")
        prefix = "draft" if self.mode == "draft" else "api"
        from urllib.parse import quote

        server = _checked_url("server_url", self.server_url)
        return Address(f"{server}/{prefix}/{quote(self.formation_id, safe='')}/v1", proxied=True)

    def __repr__(self) -> str:
        return _describe(self)


class _ServerAccess(Record):
    """The address of a server and its key pair; a base of its own, so that these fields come first."""

    #: The server.
    url: str | None = None
    #: The public half of the server's key pair.
    key_id: str | None = None
    #: The secret half, or a function that returns it.
    secret_key: Secret | None = field(default=None, repr=False)


class ServerConfig(ClientConfig, _ServerAccess):
    """All settings of a server client; the same names as its constructor takes."""

    #: Path prefix of ``url`` that a proxy removes before the server sees the request, such as ``/muxi``. The signature
    #: covers the path without it.
    unsigned_prefix: str = field(default="", kw_only=True)

    @property
    def addressed(self) -> bool:
        """True if the configuration has the server's URL."""
        return bool(self.url)

    def resolved(self) -> ServerConfig:
        """As :meth:`FormationConfig.resolved`."""
        self.check()
        found = replace(self)
        found.url = self.url or _environment("MUXI_SERVER_URL")
        found.key_id = _text_key("key_id", self.key_id, "MUXI_KEY_ID")
        prefix: object = self.unsigned_prefix
        if not isinstance(prefix, str) or (prefix and not prefix.startswith("/")):
            raise ConfigurationError(
                f"unsigned_prefix= takes the beginning of a path, such as '/muxi', got {show_value(prefix)}"
            )
        found.unsigned_prefix = prefix.rstrip("/")
        found.secret_key = _key("secret_key", self.secret_key, "MUXI_SECRET_KEY")
        found.debug = self._debugging()
        return found

    def address(self) -> Address:
        """Return the address that calls go to.

        Raises:
            ConfigurationError: there is no URL; the message names the argument and the variable.
        """
        if not self.url:
            raise ConfigurationError("where is the server? Give url= or set MUXI_SERVER_URL")
        address = Address(_checked_url("url", self.url))
        if self.unsigned_prefix:
            self._check_prefix(address.base_url)
        return address

    def _check_prefix(self, base_url: str) -> None:
        from urllib.parse import unquote, urlsplit

        path, prefix = unquote(urlsplit(base_url).path), unquote(self.unsigned_prefix)
        # To a URL without a path a plugin may add one.
        if path and not f"{path}/".startswith(f"{prefix}/"):
            raise ConfigurationError(
                f"unsigned_prefix= takes the beginning of the path of url=, which {show_value(self.unsigned_prefix)} "
                "is not: a server would refuse every signature"
            )

    def __repr__(self) -> str:
        return _describe(self)


K = TypeVar("K", FormationConfig, ServerConfig)


def settings_of(kind: type[K], cfg: K | None, settings: Mapping[str, Any]) -> K:
    """Return the configuration for the arguments of a constructor: one object, or its fields, or both.

    Raises:
        TypeError: an argument is unknown; the message has the nearest one that is not.
        ConfigurationError: ``cfg`` is of another kind.
    """
    if cfg is not None and not isinstance(cfg, kind):
        raise ConfigurationError(f"cfg= takes a {kind.__name__}, got {type(cfg).__name__}")
    known = [item.name for item in fields(kind)]
    for name in settings:
        if name not in known:
            from difflib import get_close_matches  # only for a mistake

            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise TypeError(f"unexpected argument {name!r}{hint}")
    return replace(cfg, **settings) if cfg is not None else kind(**settings)


def _check_seconds(name: str, value: object, *, optional: bool) -> None:
    if optional and (value is None or value == "default"):
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SECONDS:
        unbounded = "; None is no bound" if optional else ""
        raise ConfigurationError(
            f"{name}= takes a number of seconds above 0 and up to {MAX_SECONDS:,.0f}, "
            f"got {show_value(value)}{unbounded}"
        )


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}= takes True or False, got {show_value(value)}")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers= takes a mapping of names to values, got {type(headers).__name__}")
    try:
        Headers(headers)
    except MuxiError as error:
        raise ConfigurationError(f"headers=: {error.message}") from None


def _environment(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _text_key(argument: str, given: str | None, variable: str | None) -> str | None:
    """Return a key or an id without white space around it, or that of the environment.

    Raises:
        ConfigurationError: it is not a text, or cannot be sent in a header; the message does not contain it.
    """
    value: object = given
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{argument}= takes a text, got {type(value).__name__}")
    found = (given or "").strip() or (_environment(variable) if variable else None)
    if found is None:
        return None
    source = f"{argument}= (or {variable})" if variable else f"{argument}="
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{source} is not valid text; it has bytes that are not UTF-8") from None
    if not found.isprintable():
        raise ConfigurationError(f"{source} has a line break or a control character in it")
    return found


def _key(argument: str, given: Secret | None, variable: str) -> Secret | None:
    """Return a key without white space around it, or that of the environment."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return _text_key(argument, None, variable)
    if isinstance(given, str):
        return _text_key(argument, given, variable)
    if not callable(given):
        raise ConfigurationError(f"{argument}= takes a text or a function that returns one, got {type(given).__name__}")
    return given


def _checked_url(argument: str, url: str) -> str:
    """Return a URL without the slash at its end; refuse one that paths cannot be appended to."""
    given: object = url
    if not isinstance(given, str):
        raise ConfigurationError(f"{argument}= takes a URL as text, got {type(given).__name__}")
    url = url.strip()
    if url.partition(":")[0].lower() in ("unix", "http+unix"):
        return _socket_url(argument, url)
    # What follows may show the URL, so that first of all it must have nothing secret in it.
    if "@" in url.partition("://")[2].partition("/")[0] or ("@" in url and not _has_host(url)):
        raise ConfigurationError(f"{argument} has a user name in it; send credentials with headers= or a plugin")
    if "?" in url or "#" in url:
        raise ConfigurationError(f"{argument} has a query or a fragment, and paths are appended to it")
    if not url.isprintable() or " " in url:
        raise ConfigurationError(f"{argument}={url!r} has white space or control characters in it")
    if not url.isascii():
        url = _as_ascii(argument, url)
    if not _has_host(url):
        raise ConfigurationError(
            f"{argument}={url!r} is not an http or https URL with a host, and not a socket (unix:///run/muxi.sock)"
        )
    return url.rstrip("/")


def _as_ascii(argument: str, url: str) -> str:
    """Return a URL as the wire has it: the host by IDNA 2008 (UTS 46, as browsers do), the path percent-encoded.

    Raises:
        ConfigurationError: the host has no such form.
    """
    from urllib.parse import quote

    import idna  # installed with requests, which does the same

    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, colon, port = ("", "", authority) if authority.startswith("[") else authority.partition(":")
    try:
        port.encode("ascii")
        host = idna.encode(host, uts46=True).decode() if not host.isascii() else host
        return f"{scheme}{separator}{host}{colon}{port}{slash}{quote(path, safe=_PATH)}"
    except (idna.IDNAError, UnicodeError) as error:
        raise ConfigurationError(f"{argument}={url!r} has a host that is no name on the internet: {error}") from None


def _socket_url(argument: str, url: str) -> str:
    """Return the address of a Unix socket in the form of transports: ``http+unix://%2Frun%2Fmuxi.sock/prefix``.

    ``unix:///run/muxi.sock``, ``unix:/run/muxi.sock`` and ``unix:muxi.sock`` (below the working directory) are
    taken too; a path prefix follows after a colon, as nginx has it: ``unix:/run/muxi.sock:/prefix``.
    """
    from urllib.parse import quote, unquote

    scheme, _, rest = url.partition(":")
    if "?" in url or "#" in url or not url.isprintable():
        raise ConfigurationError(f"{argument}={url!r} has characters in it that the address of a socket cannot have")
    if scheme.lower() == "http+unix":
        path, slash, prefix = rest.removeprefix("//").partition("/")
        path, prefix = unquote(path), slash + prefix
    else:
        if rest.startswith("//") and not rest.startswith("///"):
            raise ConfigurationError(
                f"{argument}={url!r} has two slashes, so that its path would begin with a host; "
                f"write unix:///{rest[2:]} for a path from the root, or unix:{rest[2:]} for one from here"
            )
        path, colon, prefix = rest.removeprefix("//").partition(":/")
        prefix = colon[1:] + prefix
    if not path or path.endswith("/") or "\0" in path:
        raise ConfigurationError(
            f"{argument}={url!r} names no socket; write unix:///run/muxi.sock, or http+unix://%2Frun%2Fmuxi.sock/prefix"
        )
    return f"http+unix://{quote(os.path.abspath(path), safe='')}{prefix}".rstrip("/")


def _has_host(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _describe(config: Options) -> str:
    """Return the settings that differ from their defaults; of keys only that they are set."""
    parts: list[str] = []
    for item in fields(config):
        value = getattr(config, item.name)
        if item.name == "headers":
            value = dict.fromkeys(value, "…")
        elif item.name.endswith("url") and not {"@", "?"}.isdisjoint(str(value)):
            value = REDACTED
        if item.repr and value != item.default and value not in ((), {}):
            parts.append(f"{item.name}={redact_text(repr(value))}")
        elif not item.repr and value is not None:
            parts.append(f"{item.name}={REDACTED}")
    return f"{type(config).__name__}({', '.join(parts)})"
