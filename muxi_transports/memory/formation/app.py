"""The embedded formation: state, agents and routes of one formation, in this process."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi_transports.memory.formation.access import Keys, header_user, require_user
from muxi_transports.memory.formation.agents import Agents, echo
from muxi_transports.memory.formation.authoring import Authoring
from muxi_transports.memory.formation.defects import Defect, defects
from muxi_transports.memory.formation.definition import FormationDefinition
from muxi_transports.memory.formation.envelope import ApiError, Crash, Success, failure, success
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.router import Incoming, Route, Router
from muxi_transports.memory.formation.state.artifacts import Artifacts
from muxi_transports.memory.formation.state.asides import Asides
from muxi_transports.memory.formation.state.buffer import Buffer
from muxi_transports.memory.formation.state.diary import Diary
from muxi_transports.memory.formation.state.feeds import Feeds
from muxi_transports.memory.formation.state.jobs import Jobs
from muxi_transports.memory.formation.state.memories import Memories
from muxi_transports.memory.formation.state.replays import Replays
from muxi_transports.memory.formation.state.tracker import Tracker
from muxi_transports.memory.formation.state.triggers import Trigger
from muxi_transports.memory.formation.state.whole import State
from muxi_transports.memory.formation.tasks import perform
from muxi_transports.memory.formation.validation import parse_json, validate
from muxi_transports.memory.formation.voice import Transcribe, transcript
from muxi_transports.memory.formation.webhooks import Webhooks
from muxi_transports.memory.work import Background, Work
from muxi_transports.memory.world import Answer, Exchange, Pause

__all__ = ["EmbeddedFormation"]

_PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)


class EmbeddedFormation(Authoring):
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
        ConfigurationError: something to imitate is no defect, or the definition is none.
    """

    def __init__(
        self,
        formation_id: str | None = None,
        *,
        client_key: str | None = None,
        admin_key: str | None = None,
        clock: Clock | None = None,
        seed: int | str | None = None,
        pace: float = 0.0,
        opening_pause: float = 0.0,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        definition: FormationDefinition | None = None,
        imitate: Iterable[Defect | str] = (),
        webhook_url: str | None = None,
        transcribe: Transcribe = transcript,
    ) -> None:
        self._imitated = defects(imitate)
        #: What the formation is; a test may change it while the formation runs.
        self.definition: FormationDefinition = FormationDefinition() if definition is None else definition
        if not isinstance(self.definition, FormationDefinition):
            raise ConfigurationError(f"a definition is a FormationDefinition, not a {type(definition).__name__}")
        self.formation_id: str = formation_id or self.definition.id or "my-assistant"
        self.name: str = name or self.definition.name or self.formation_id
        self.description: str = description or self.definition.description or ""
        self.version: str = version or self.definition.version or "1.0.0"
        self.clock: Clock = clock or SystemClock()
        self.started: float = self.clock.monotonic()
        self.pace = pace
        self.opening_pause = opening_pause
        self.keys: Keys = Keys(client_key, admin_key)
        self.ids: Ids = Ids(seed)
        self.agents: Agents = Agents()
        self.tracker: Tracker = Tracker(self.clock)
        self.replays: Replays = Replays(self.clock)
        self.background: Background = Background(self.clock)
        self.triggers: dict[str, Trigger] = {}
        self.jobs: Jobs = Jobs(self.clock, self.background, lambda job: perform(self, job))
        self.asides: Asides = Asides()
        self.feeds: Feeds = Feeds()
        self.webhooks: Webhooks = Webhooks(self, webhook_url or self.definition.webhook_url)
        self.transcribe: Transcribe = transcribe
        #: Held while the state changes, never while somebody waits.
        self.lock: threading.RLock = threading.RLock()
        #: Users, memories, secrets, jobs and whatever else it keeps.
        self.state: State = State(
            self.definition, self.keys.as_secrets(), self.clock, self.ids, self.background, self.lock
        )
        self.memories: Memories = self.state.memories
        self.buffer: Buffer = Buffer(self.state.users)
        self.artifacts: Artifacts = Artifacts(self.clock, self.state.users)
        self.diary: Diary = Diary(self.state.users)
        for agent in self.definition.agents:
            self.agents.given[agent.id] = echo
        for trigger, template in self.definition.triggers.items():
            self.trigger(trigger, template)
        self._router = Router(_routes())

    def catch_up(self) -> None:
        """Do the work in the background that is due by now."""
        self.background.catch_up()

    def work(self, steps: Generator[Pause, None, object]) -> None:
        """Have something done in the background; its first step is taken when somebody next looks."""
        self.background.adopt(Work(steps, self.clock))

    def note(
        self,
        kind: str,
        message: str,
        *,
        level: str = "info",
        user_id: str | None = None,
        session_id: str | None = None,
        request_id: str | None = None,
        agent_id: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Tell of something that happened by itself: as :meth:`emit_event`, where the runtime would tell at all."""
        if not self.imitates(Defect.SILENT_FEEDS):
            self.emit_event(
                kind,
                message,
                level=level,
                user_id=user_id,
                session_id=session_id,
                request_id=request_id,
                agent_id=agent_id,
                data=data,
            )

    def imitates(self, defect: Defect) -> bool:
        """Whether the formation shall do this as wrongly as the recorded runtime."""
        return defect in self._imitated

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
        return self._dressed(request, answer)

    def wrap(self, result: Success, *, request_id: str | None = None, idempotency_key: str | None = None) -> Answer:
        """A result in its envelope."""
        with self.lock:
            request_id = request_id or result.request_id or self.ids.new("req_")
        return success(result, request_id=request_id, idempotency_key=idempotency_key, now=self.clock.time())

    def _route(self, request: Request) -> Generator[Pause, None, Answer]:
        url = urlsplit(request.url)
        found = self._router.find(request.method, url)
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

    def _dressed(self, request: Request, answer: Answer) -> Answer:
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

    def __repr__(self) -> str:
        return f"EmbeddedFormation({self.formation_id!r})"


def _routes() -> tuple[Route, ...]:
    # The routes know the formation they are for, so they are loaded when one is made.
    from muxi_transports.memory.formation.routes import ROUTES

    return ROUTES
