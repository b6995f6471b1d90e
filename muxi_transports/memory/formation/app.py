"""The embedded formation: state, agents and routes of one formation, in this process."""

from __future__ import annotations

from collections.abc import Generator
from email.utils import formatdate
from urllib.parse import urlsplit

from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.formation.access import header_user, require_user
from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.envelope import ApiError, Crash, Success, failure
from muxi_transports.memory.formation.router import Incoming, Router
from muxi_transports.memory.formation.routes import ROUTES
from muxi_transports.memory.formation.state.jobs import Job
from muxi_transports.memory.formation.tasks import perform_job
from muxi_transports.memory.formation.validation import parse_json, validate
from muxi_transports.memory.world import Answer, Exchange, Pause

__all__ = ["EmbeddedFormation"]

_ROUTER = Router(ROUTES)

_PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)


@check_arguments("definition", "imitate")
class EmbeddedFormation(FormationCore):
    """A formation without models, databases and network, whose answers are those of the real one.

    It has users, sessions with messages, memories, buffers and requests with a status, triggers, scheduled jobs,
    artifacts, webhooks and feeds of events, and agents that are functions
    (see :mod:`muxi_transports.memory.formation.agents`). Reach it with
    :class:`~muxi_transports.memory.MemoryTransport`, or over HTTP with
    :func:`~muxi_transports.memory.serve`::

        formation = EmbeddedFormation(client_key="fmc_test")

        @formation.agent("assistant")
        def assistant(turn: Turn) -> str:
            return f"Hello, {turn.user_id}!"

    Several threads may talk to it at once. What the recorded runtime does wrong is done right here, unless it is to be
    imitated. Work in the background (jobs, asynchronous triggers and chats, repeated webhooks) is done when the clock
    says so: on a :class:`~muxi.ManualClock` while a test moves it, on the machine's clock by a thread, and on any clock
    before the next request is answered.

    Args:
        formation_id: its id, which messages carry and a server finds it under; the definition's, or
            ``my-assistant``, if None.
        client_key: the client key; None accepts any key that is not empty, in the header of client keys.
        admin_key: the admin key, likewise.
        clock: the time it lives in; the machine's by default.
        seed: makes the ids repeatable.
        pace: seconds between two deltas of a stream. Without it streams come as fast as they are read.
        opening_pause: seconds between the two keepalives that open a stream (1 on the wire).
        name: its name for people; the definition's, or the id, if None.
        description: what it is for, likewise.
        version: what ``/v1/health`` says, likewise.
        definition: what it is: agents, skills, servers, secrets, settings
            (:class:`~muxi_transports.memory.FormationDefinition`). Everything has a default.
        imitate: defects of the recorded runtime to imitate, by name (:class:`~muxi_transports.memory.Defect`); a
            formation is healthy without them.
        webhook_url: where the outcome goes of asynchronous chats and jobs that name no URL, and notifications; the
            definition's if None.
        transcribe: makes a text of voice notes; by default they say what they are called.

    Raises:
        ConfigurationError: a key is empty, something to imitate is no defect, or the definition is none.
    """

    @property
    def credentials(self) -> dict[str, str]:
        """The keys that it was given, as a client's arguments; any other key will do where there is none."""
        return self.keys.given

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        self.background.catch_up()
        if request.method == "OPTIONS" and all(
            name in request.headers for name in ("Origin", "Access-Control-Request-Method")
        ):
            return self._preflight(request)
        try:
            answer = yield from self._route(request)
        except ApiError as error:
            answer = failure(error, request_id=self.ids.new("req_"), now=self.clock.time())
            if isinstance(error, Crash):
                return Answer(answer.status, [*self._head(), *answer.headers], answer.body)
        return self._add_headers(request, answer)

    def _route(self, request: Request) -> Generator[Pause, None, Answer]:
        url = urlsplit(request.url)
        found = _ROUTER.find(request.method, url)
        if isinstance(found, str):
            return Answer(307, [("content-length", "0"), ("location", found)])
        route, params = found
        is_admin = self.keys.check(route.level, request.headers)
        content = parse_json(request.body, request.headers.get("content-type") or "") if route.body else None
        if content is None and route.body_optional:
            content = {}
        query, body = validate(route.query, url.query, route.body, content)
        user = header_user(request.headers)
        require_user(route.user, user, is_admin=is_admin)
        incoming = Incoming(self, request, is_admin, user, params, query, body)
        with self.lock:
            result = route.handler(incoming)
        if isinstance(result, Success):
            return self.wrap(result)
        if isinstance(result, Answer):
            return result
        return (yield from result)

    def _add_headers(self, request: Request, answer: Answer) -> Answer:
        """An answer with the headers that all have, in the order of the wire."""
        tail = [("vary", "Origin")]
        if origin := request.headers.get("Origin"):
            tail += [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")]
        return Answer(answer.status, [*self._head(), *answer.headers, *tail], answer.body)

    def _preflight(self, request: Request) -> Answer:
        asked = request.headers.get("Access-Control-Request-Headers")
        headers = [
            *self._head(),
            ("vary", _PREFLIGHT_VARY),
            ("access-control-allow-methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY"),
            ("access-control-max-age", "600"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", request.headers["Origin"]),
            *([("access-control-allow-headers", asked)] if asked else []),
            ("content-length", "2"),
            ("content-type", "text/plain; charset=utf-8"),
        ]
        return Answer(200, headers, b"OK")

    def _head(self) -> list[tuple[str, str]]:
        return [("date", formatdate(self.clock.time(), usegmt=True)), ("server", "uvicorn")]

    def _perform_job(self, job: Job) -> Generator[Pause, None, str | None]:
        return perform_job(self, job)

    def __repr__(self) -> str:
        return f"EmbeddedFormation({self.formation_id!r})"
