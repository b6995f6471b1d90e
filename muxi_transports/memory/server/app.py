"""The embedded server: routing, signatures and headers in front of embedded formations."""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
import threading
from collections.abc import Callable, Generator
from email.utils import formatdate
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi_transports.memory.formation import EmbeddedFormation
from muxi_transports.memory.server import formations
from muxi_transports.memory.server.answers import ServerError, empty, go_json, plain, unauthorized
from muxi_transports.memory.server.auth import refusal
from muxi_transports.memory.server.proxy import forward, proxied
from muxi_transports.memory.server.registry import Registry
from muxi_transports.memory.work import Background
from muxi_transports.memory.world import Answer, Exchange, Pause

__all__ = ["EmbeddedServer"]

_CORS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
]
#: The path and the methods of each route; a variable is one segment.
_ROUTES = {
    "ping": re.compile(r"/ping"),
    "health": re.compile(r"/health"),
    "status": re.compile(r"/rpc/server/status"),
    "formations": re.compile(r"/rpc/formations"),
    "formation": re.compile(r"/rpc/formations/([^/]+)"),
    "stop": re.compile(r"/rpc/formations/([^/]+)/stop"),
    "start": re.compile(r"/rpc/formations/([^/]+)/start"),
    "restart": re.compile(r"/rpc/formations/([^/]+)/restart"),
}
_METHODS = {
    "ping": ("GET",),
    "health": ("GET",),
    "status": ("GET",),
    "formations": ("GET", "POST"),
    "formation": ("GET", "DELETE"),
    "stop": ("POST",),
    "start": ("POST",),
    "restart": ("POST",),
}


class EmbeddedServer:
    """A server that holds embedded formations, checks signatures and proxies, as the real one does::

        server = EmbeddedServer(key_id="muxi_pk_test", secret_key="muxi_sk_test")
        server.add(EmbeddedFormation("my-assistant", clock=server.clock))

    What is deployed to it becomes an embedded formation with the echo agent, open to any key.

    Args:
        key_id: the id of its one key; None accepts any, with any signature (the header must still be well
            formed and its timestamp good).
        secret_key: the secret of that key.
        clock: the time it lives in; the machine's by default.
        port: the port it believes to listen on, which is part of the URLs it gives out.
        startup_seconds: how long a formation takes to start.
        version: the server's version.
        latest_sdk: what it says the latest SDK is; None says what the caller has (the wire, before the
            server has looked it up).

    Raises:
        ConfigurationError: a key without its secret, or the other way round.
    """

    def __init__(
        self,
        *,
        key_id: str | None = None,
        secret_key: str | None = None,
        clock: Clock | None = None,
        port: int = 7890,
        startup_seconds: float = 0.0,
        version: str = "0.20260514.1",
        latest_sdk: str | None = None,
    ) -> None:
        if (key_id is None) != (secret_key is None):
            raise ConfigurationError("give key_id= and secret_key= together, or neither")
        self.clock: Clock = clock or SystemClock()
        self.started: float = self.clock.monotonic()
        self.port = port
        self.startup_seconds = startup_seconds
        self.version = version
        self.latest_sdk = latest_sdk
        self._key_id = key_id
        self._secret_key = secret_key
        numbers = itertools.count()
        self.live: Registry = Registry(self.clock, numbers)
        self.drafts: Registry = Registry(self.clock, numbers)
        self.background: Background = Background()
        #: Held while the state changes, never while somebody waits.
        self.lock: threading.RLock = threading.RLock()

    def add(self, formation: EmbeddedFormation, *, draft: bool = False) -> EmbeddedFormation:
        """Hold a formation, running, in place of an earlier one of its id.

        Args:
            formation: the formation; it lives in the server's time.
            draft: whether it is found below ``/draft`` instead of ``/api``.

        Returns:
            The formation.

        Raises:
            ConfigurationError: the formation was given another clock than the server's.
        """
        if formation.clock is not self.clock and not _both_system(formation.clock, self.clock):
            raise ConfigurationError(
                f"the formation {formation.formation_id!r} has another clock than the server; "
                "make it with EmbeddedFormation(…, clock=server.clock)"
            )
        name = f"{formation.formation_id}:{formation.version}"
        with self.lock:
            registry = self.drafts if draft else self.live
            registry.add(formation, hashlib.sha256(name.encode()).hexdigest())
        return formation

    def find(self, formation_id: str, *, draft: bool = False) -> EmbeddedFormation | None:
        """The formation of an id, such as one that was deployed; None where there is none."""
        hosted = (self.drafts if draft else self.live).find(formation_id)
        return hosted.formation if hosted else None

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        self.background.catch_up()
        url = urlsplit(request.url)
        path = unquote(url.path or "/", errors="surrogateescape")
        if (clean := _cleaned(path)) != path:
            location = urlunsplit(("", "", quote(clean, errors="surrogateescape"), url.query, ""))
            return self._dressed(empty(301, (("Location", location),)), matched=True)
        target = proxied(path)
        if target is not None:
            registry = self.drafts if target.draft else self.live
            hosted = registry.find(target.formation_id)
            answer = yield from forward(target, hosted, request, url, version=self.version)
            return self._dressed(answer, matched=True, sdk=self._sdk_latest(request))
        for name, pattern in _ROUTES.items():
            if match := pattern.fullmatch(path):
                if request.method not in _METHODS[name]:
                    return self._dressed(empty(405), matched=False)
                answer = yield from self._matched(name, request, path, match.groups())
                return self._dressed(answer, matched=True)
        return self._dressed(ServerError(404, "Endpoint not found").answer(), matched=False)

    def _matched(
        self, name: str, request: Request, path: str, params: tuple[str, ...]
    ) -> Generator[Pause, None, Answer]:
        if name == "ping":
            return plain(200, b"pong", "text/plain")
        if name == "health":
            return plain(200, go_json({"success": True, "status": "ok", "version": self.version}))
        message = refusal(
            request.headers.get("Authorization"),
            request.method,
            path,
            key_id=self._key_id,
            secret=self._secret_key,
            now=self.clock.time(),
        )
        if message is not None:
            return unauthorized(message)
        try:
            return (yield from self._rpc(name, request, params))
        except ServerError as error:
            return error.answer()

    def _rpc(self, name: str, request: Request, params: tuple[str, ...]) -> Generator[Pause, None, Answer]:
        if (name, request.method) == ("formations", "POST"):
            return (yield from formations.deploy(self, request))
        if name in ("start", "restart"):
            return (yield from (formations.start if name == "start" else formations.restart)(self, params[0]))
        with self.lock:
            if name == "status":
                return formations.status(self)
            if name == "formations":
                return formations.list_all(self)
            act: Callable[[EmbeddedServer, str], Answer] = formations.stop
            if name == "formation":
                act = formations.get if request.method == "GET" else formations.delete
            return act(self, params[0])

    def _dressed(self, answer: Answer, *, matched: bool, sdk: str | None = None) -> Answer:
        """An answer with the headers of the server; an unmatched route has no CORS headers (the wire)."""
        names = {name.lower() for name, _ in answer.headers}
        headers = [*_CORS, *answer.headers] if matched else list(answer.headers)
        if sdk is not None:
            headers.append(("X-Muxi-Sdk-Latest", sdk))
        if "date" not in names:
            headers.append(("Date", formatdate(self.clock.time(), usegmt=True)))
        return Answer(answer.status, headers, answer.body)

    def _sdk_latest(self, request: Request) -> str | None:
        _, slash, version = (request.headers.get("X-Muxi-SDK") or "").partition("/")
        return (self.latest_sdk or version) if slash else None

    def __repr__(self) -> str:
        return f"EmbeddedServer({[hosted.id for hosted in self.live.listed()]!r})"


def _cleaned(path: str) -> str:
    """A path without empty and dotted segments; a slash at its end stays."""
    clean = posixpath.normpath(re.sub(r"/+", "/", path))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _both_system(one: Clock, other: Clock) -> bool:
    return isinstance(one, SystemClock) and isinstance(other, SystemClock)
