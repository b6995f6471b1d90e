"""Answers in the shapes of the wire, and transports of both colours that give them one after the other."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ServerClient
from muxi.clock import ManualClock
from muxi.errors import ConnectionError, TimeoutError
from muxi.transport import AsyncResponse, AsyncTransport, BufferedResponse, Request, Response, Transport

CLIENT_KEY = "fmc_hushhush1"
ADMIN_KEY = "fma_hushhush2"
KEY_ID = "muxi_pk_0123456789abcdef01234567"
SECRET_KEY = "muxi_sk_hushhush3"

#: What happens to one request: an answer, an error, or a function that gives either.
Step = BufferedResponse | BaseException | Callable[[Request], BufferedResponse]

JSON = ("Content-Type", "application/json")


def answer(data: Mapping[str, Any] | None = None, **headers: str) -> BufferedResponse:
    """A formation's answer."""
    envelope = {
        "object": "thing",
        "timestamp": 1795362270462,
        "type": "thing.retrieved",
        "request": {"id": "req_wire", "idempotency_key": None},
        "success": True,
        "error": None,
        "data": dict(data or {}),
    }
    return json_answer(200, envelope, **headers)


def chat_answer(text: str = "Hello.", **metadata: Any) -> BufferedResponse:
    message = {"role": "assistant", "content": text, "artifacts": None, "metadata": metadata}
    return answer({"message": message, "user_id": "0", "session_id": "s", "request_id": "req_own"})


def failure(status: int, code: str = "INTERNAL_ERROR", message: str = "No.", **headers: str) -> BufferedResponse:
    """A formation's error, nested."""
    envelope = {
        "object": "error",
        "timestamp": 1795362270462,
        "type": "error.internal",
        "request": {"id": "req_wire", "idempotency_key": None},
        "success": False,
        "error": {"code": code, "message": message, "data": None},
        "data": {},
    }
    return json_answer(status, envelope, **headers)


def flat(status: int, error: str, message: str, **headers: str) -> BufferedResponse:
    """A server's error."""
    return json_answer(status, {"error": error, "message": message, "code": status}, **headers)


def json_answer(status: int, payload: object, **headers: str) -> BufferedResponse:
    return BufferedResponse(status, [JSON, *_headers(headers)], json.dumps(payload).encode())


def plain(status: int, content: bytes = b"", content_type: str = "text/html", **headers: str) -> BufferedResponse:
    return BufferedResponse(status, [("Content-Type", content_type), *_headers(headers)], content)


def events(*frames: str) -> BufferedResponse:
    """A stream of events, each frame as it is on the wire without the empty line at its end."""
    content = "".join(f"{frame}\n\n" for frame in frames).encode()
    return BufferedResponse(200, [("Content-Type", "text/event-stream; charset=utf-8")], content)


def chat_events(*pieces: str) -> BufferedResponse:
    """A whole chat."""

    def token(kind: str, text: str) -> str:
        return "data: " + json.dumps({"token": {"type": kind, "content": text, "request_id": "req_turn"}})

    return events(
        *(token("content", piece) for piece in pieces),
        token("completed", "".join(pieces)),
        'event: done\ndata: {"finished":true}',
    )


def refused() -> ConnectionError:
    """No connection was made."""
    return ConnectionError("CONNECTION_REFUSED", "nobody listens there", connected=False)


def died() -> ConnectionError:
    """The connection broke after the request had been sent."""
    return ConnectionError("CONNECTION_LOST", "the connection broke")


def timed_out(bound: str = "timeout") -> TimeoutError:
    return TimeoutError("TIMEOUT", "no answer for too long", bound=bound)


def _headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", "-").title(), value) for name, value in headers.items()]


class Playback:
    """Gives one step to each request, in order, and remembers what was asked of it."""

    def __init__(self, *steps: Step, clock: ManualClock | None = None) -> None:
        self.steps = list(steps)
        self.clock = clock or ManualClock()
        self.requests: list[Request] = []
        #: When each request was sent, in seconds since the start.
        self.times: list[float] = []
        #: How often a response was closed, and how often a transport.
        self.freed = 0
        self.closed = 0

    @property
    def request(self) -> Request:
        """The last request."""
        return self.requests[-1]

    @property
    def waits(self) -> list[float]:
        """The seconds between one request and the next."""
        return [round(later - sooner, 3) for sooner, later in zip(self.times, self.times[1:], strict=False)]

    def header(self, name: str) -> list[str | None]:
        """A header of each request."""
        return [request.headers.get(name) for request in self.requests]

    def body(self) -> Any:
        """The JSON body of the last request."""
        assert self.request.body is not None
        return json.loads(b"".join(self.request.body.chunks()))

    def next(self, request: Request) -> BufferedResponse:
        self.requests.append(request)
        self.times.append(self.clock.monotonic())
        assert self.steps, f"nobody expected {request!r}"
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, BufferedResponse) else step(request)


class PlaybackTransport(Transport):
    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.clock = playback.clock

    def send(self, request: Request) -> Response:
        return _Played(self.playback, self.playback.next(request))

    def close(self) -> None:
        self.playback.closed += 1


class AsyncPlaybackTransport(AsyncTransport):
    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.clock = playback.clock

    async def send(self, request: Request) -> AsyncResponse:
        await asyncio.sleep(0)
        return _AsyncPlayed(self.playback, self.playback.next(request))

    async def close(self) -> None:
        self.playback.closed += 1


class _Played(Response):
    def __init__(self, playback: Playback, response: BufferedResponse) -> None:
        super().__init__(response.status, response.headers, reason=response.reason)
        self._playback = playback
        self._content = response.content

    def chunks(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        self._playback.freed += 1


class _AsyncPlayed(AsyncResponse):
    def __init__(self, playback: Playback, response: BufferedResponse) -> None:
        super().__init__(response.status, response.headers, reason=response.reason)
        self._playback = playback
        self._content = response.content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None:
        self._playback.freed += 1


class Colour:
    """Clients of one colour, so that a scenario is written once for both."""

    asynchronous = False

    def transport(self, playback: Playback) -> Any:
        return PlaybackTransport(playback)

    def formation(self, *steps: Step | Playback, **settings: Any) -> Any:
        """A formation client over a playback, or over its steps."""
        if not {"url", "server_url", "base_url", "formation_id"} & settings.keys():
            settings["url"] = "http://localhost:8001"
        settings.setdefault("client_key", CLIENT_KEY)
        # Scripted answers have no more in them than a test is about.
        settings.setdefault("validate_responses", "off")
        settings.setdefault("admin_key", ADMIN_KEY)
        settings.setdefault("transport", self.transport(_playback(steps)))
        return (AsyncFormationClient if self.asynchronous else FormationClient)(**settings)

    def server(self, *steps: Step | Playback, **settings: Any) -> Any:
        """A server client, likewise."""
        settings.setdefault("url", "http://localhost:7890")
        settings.setdefault("key_id", KEY_ID)
        settings.setdefault("validate_responses", "off")
        settings.setdefault("secret_key", SECRET_KEY)
        settings.setdefault("transport", self.transport(_playback(steps)))
        return (AsyncServerClient if self.asynchronous else ServerClient)(**settings)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call something, and await what comes back where it can be awaited."""
        return function(*args, **kwargs)

    def collect(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Call something that gives items or events, and list them."""
        return list(function(*args, **kwargs))

    def end(self) -> None:
        """Nothing more will be run."""


class AsyncColour(Colour):
    asynchronous = True

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def transport(self, playback: Playback) -> Any:
        return AsyncPlaybackTransport(playback)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async def awaited() -> Any:
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return self.loop.run_until_complete(awaited())

    def collect(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        async def collected() -> list[Any]:
            return [item async for item in function(*args, **kwargs)]

        return self.loop.run_until_complete(collected())

    def end(self) -> None:
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


def _playback(steps: tuple[Step | Playback, ...]) -> Playback:
    if len(steps) == 1 and isinstance(steps[0], Playback):
        return steps[0]
    return Playback(*(step for step in steps if not isinstance(step, Playback)))
