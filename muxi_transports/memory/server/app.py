"""The embedded server: routing, signatures and headers in front of embedded formations."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Generator
from email.utils import formatdate
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.server.answers import RpcError, empty, unauthorized
from muxi_transports.memory.server.auth import refusal
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.server.proxy import forward, parse_target
from muxi_transports.memory.server.router import ServerRoute, ServerRouter, ServerVisit
from muxi_transports.memory.server.routes import ROUTES
from muxi_transports.memory.world import Answer, Exchange, Pause

__all__ = ["EmbeddedServer"]

_CORS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
]
#: Beside letters, digits and ``-._~``, what Go leaves as it is in a path.
_PLAIN = "/$&+,:;=@"
_ROUTER = ServerRouter(ROUTES)


@check_arguments("imitate")
class EmbeddedServer(ServerCore):
    """A server that holds embedded formations, checks signatures, deploys and proxies, as the real one does::

        server = EmbeddedServer(key_id="muxi_pk_test", secret_key="muxi_sk_test")
        server.add(EmbeddedFormation("my-assistant", clock=server.clock))

    What is deployed to it becomes an embedded formation, open to any key, with the name, description, version and
    agents that its bundle has; :meth:`provide` has a formation of yours answer instead. What the recorded server does
    wrong is done right here, unless it is to be imitated. Several threads may talk to it at once.

    Args:
        key_id: the id of its one key; None accepts any, with any signature (the header must still be well
            formed and its timestamp good).
        secret_key: the secret of that key.
        clock: the time it lives in; the machine's by default.
        port: the port it believes to listen on, which is part of the URLs it gives out.
        startup_seconds: how long a formation takes to become healthy. Health is checked after 2 s at the latest, then
            every second, 30 times.
        shutdown_seconds: how long one takes to stop.
        ports: how many ports there are for formations.
        runtimes: the versions of the runtime that formations can ask for.
        version: the server's version.
        latest_sdk: what it says the latest SDK is; None says what the caller has (the wire, before the
            server has looked it up).
        imitate: defects of the recorded server to imitate, by name
            (:class:`~muxi_transports.memory.ServerDefect`); a server is healthy without them.

    Raises:
        ConfigurationError: a key without its secret, or the other way round; either is empty; something to imitate is
            no defect.
    """

    @property
    def credentials(self) -> dict[str, str]:
        """The key pair, as a client's arguments; empty where any will do."""
        if self._key_id is None or self._secret_key is None:
            return {}
        return {"key_id": self._key_id, "secret_key": self._secret_key}

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        self.background.catch_up()
        url = urlsplit(request.url)
        path = unquote(url.path or "/", errors="surrogateescape")
        if (clean := _clean_path(path)) != path:
            location = urlunsplit(("", "", quote(clean, safe=_PLAIN, errors="surrogateescape"), url.query, ""))
            return self._add_headers(empty(301, (("Location", location),)), matched=False)
        target = parse_target(path)
        if target is not None:
            registry = self.drafts if target.kind == "draft" else self.live
            hosted = registry.find(target.formation_id)
            answer = yield from forward(target, hosted, request, url, version=self.version)
            sdk = self._sdk_latest(request) if target.kind != "mcp" else None
            return self._add_headers(answer, matched=True, sdk=sdk)
        found = _ROUTER.find(request.method, path)
        if found is None:
            return self._add_headers(RpcError(404, "Endpoint not found").answer(), matched=False)
        route, formation_id = found
        if route is None:
            return self._add_headers(empty(405), matched=False)
        answer = yield from self._run_route(route, ServerVisit(self, request, formation_id, url.query), path)
        return self._add_headers(answer, matched=True)

    def _run_route(self, route: ServerRoute, visit: ServerVisit, path: str) -> Generator[Pause, None, Answer]:
        if route.signed and (message := self._refusal(visit.request, path)) is not None:
            return unauthorized(message)
        try:
            with self.lock:
                answer = route.handler(visit)
            return answer if isinstance(answer, Answer) else (yield from answer)
        except RpcError as error:
            return error.answer()

    def _refusal(self, request: Request, path: str) -> str | None:
        return refusal(
            request.headers.get("Authorization"),
            request.method,
            path,
            key_id=self._key_id,
            secret=self._secret_key,
            now=self.clock.time(),
        )

    def _add_headers(self, answer: Answer, *, matched: bool, sdk: str | None = None) -> Answer:
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


def _clean_path(path: str) -> str:
    """A path without empty and dotted segments; a slash at its end stays."""
    clean = posixpath.normpath(re.sub(r"/+", "/", path))
    return clean + "/" if path.endswith("/") and clean != "/" else clean
