"""What the programs of this folder share: one caller for the whole life of a program, and notes of what it got.

A program is run with one argument, a JSON object::

    {"url": "http://127.0.0.1:1234", "caller": "requests", "late": true}

``caller`` names who calls: a client of the SDK by its transport, or a library by itself (``plain requests`` with one
session, ``fresh requests`` with a session for each call), whose notes a client's are compared with. ``late`` starts the
tool after the caller's first call. The notes go to the standard output as JSON, in its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["MOCKED_HEALTH", "MOCKED_STREAM", "Stage", "staged"]

#: Headers of every call, so that a mock or a tracer has something to look at.
HEADERS = {"X-Tenant": "acme"}

#: What mocks answer in the formation's place.
MOCKED_HEALTH = {"success": True, "data": {"status": "healthy", "version": "mock", "uptime_seconds": 1}}
MOCKED_STREAM = (
    'data: {"type": "text", "text": "mo"}\n\ndata: {"type": "text", "text": "ck"}\n\n'
    'event: done\ndata: {"type": "done"}\n\n'
)


class Caller:
    """Calls a formation: its health, and a chat as a stream."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self.timeout = timeout

    def health(self) -> str:
        raise NotImplementedError

    def stream(self) -> str:
        raise NotImplementedError

    def explain(self) -> str:
        return ""

    def everything(self) -> list[str]:
        """Three calls: of the client, of a clone that was made at the start, and of a clone made now; then a stream."""
        return [self.attempt(call) for call in (self.health, self.health, self.health, self.stream)]

    def attempt(self, call: Callable[[], str]) -> str:
        """The result of a call, or the kind of its failure: one of the network by a word, another by its class."""
        try:
            return call()
        except OSError as error:  # requests' own exceptions and those of the SDK are OSErrors where nothing was reached
            return f"failed: {'timeout' if 'timeout' in type(error).__name__.lower() else 'connection'}"
        except Exception as error:
            return f"failed: {type(error).__name__}"

    def close(self) -> None:
        raise NotImplementedError


def options_of(timeout: float) -> dict[str, Any]:
    """The settings of a client, every bound of which is the same."""
    bounds = dict.fromkeys(("timeout", "idle_timeout", "stall_timeout"), timeout)
    return {"client_key": "key", "max_retries": 0, "headers": HEADERS, **bounds}


class Client(Caller):
    """A client of the SDK, and its clones."""

    def __init__(self, url: str, timeout: float, transport: Any) -> None:
        from muxi import FormationClient

        super().__init__(url, timeout)
        self.transport = transport
        options = options_of(timeout)
        self.client = FormationClient(url=url, transport=transport, **options)
        self.clone = self.client.with_options(headers=HEADERS)

    def health(self) -> str:
        return str(self.client.health()["version"])

    def stream(self) -> str:
        stream = self.client.chat_stream("hi", user_id="ada")
        return "".join(event["text"] for event in stream if event["type"] == "text")

    def everything(self) -> list[str]:
        def of(client: Any) -> Callable[[], str]:
            return lambda: str(client.health()["version"])

        clones = (self.client, self.clone, self.client.with_options(max_retries=0))
        return [self.attempt(call) for call in (*map(of, clones), self.stream)]

    def explain(self) -> str:
        return str(self.transport.explain(self.url))

    def close(self) -> None:
        self.client.close()
        self.transport.close()


class Looped(Caller):
    """Calls in an event loop of its own."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, timeout)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)


class AsyncClient(Looped):
    """An async client of the SDK, and its clones."""

    def __init__(self, url: str, timeout: float, settings: Mapping[str, Any]) -> None:
        super().__init__(url, timeout)
        self.run(self._open(settings))

    async def _open(self, settings: Mapping[str, Any]) -> None:
        from muxi import AsyncFormationClient
        from muxi_transports.aiohttp import AiohttpTransport

        self.transport = AiohttpTransport(**settings)
        options = options_of(self.timeout)
        self.client = AsyncFormationClient(url=self.url, transport=self.transport, **options)
        self.clone = self.client.with_options(headers=HEADERS)

    def health(self) -> str:
        return str(self.run(self.client.health())["version"])

    def stream(self) -> str:
        async def collect() -> str:
            stream = self.client.chat_stream("hi", user_id="ada")
            return "".join([event["text"] async for event in stream if event["type"] == "text"])

        return str(self.run(collect()))

    def everything(self) -> list[str]:
        def of(client: Any) -> Callable[[], str]:
            return lambda: str(self.run(client.health())["version"])

        clones = (self.client, self.clone, self.client.with_options(max_retries=0))
        return [self.attempt(call) for call in (*map(of, clones), self.stream)]

    def close(self) -> None:
        async def close() -> None:
            await self.client.close()
            await self.transport.close()

        self.run(close())
        self.loop.close()


def text_of(lines: Iterator[str]) -> str:
    """The text of the events of a stream."""
    payloads = (json.loads(line.partition(":")[2]) for line in lines if line.startswith("data:"))
    return "".join(payload["text"] for payload in payloads if payload["type"] == "text")


class PlainRequests(Caller):
    """requests by itself, with one session."""

    def __init__(self, url: str, timeout: float, session: Any) -> None:
        super().__init__(url, timeout)
        self.session = session

    def _request(self, method: str, path: str, **options: Any) -> Any:
        response = self.session.request(
            method, f"{self.url}{path}", headers=dict(HEADERS), timeout=self.timeout, **options
        )
        response.raise_for_status()
        return response

    def health(self) -> str:
        return str(self._request("GET", "/v1/health").json()["data"]["version"])

    def stream(self) -> str:
        with self._request("POST", "/v1/chat", json={"message": "hi", "stream": True}, stream=True) as response:
            return text_of(response.iter_lines(decode_unicode=True, chunk_size=1))

    def close(self) -> None:
        self.session.close()


class FreshRequests(PlainRequests):
    """requests by itself, with a session for each call, as ``requests.get`` does."""

    def __init__(self, url: str, timeout: float) -> None:
        import requests

        super().__init__(url, timeout, requests)

    def close(self) -> None:
        """Nothing is kept."""


class PlainUrllib3(Caller):
    """urllib3 by itself, with one pool manager."""

    def __init__(self, url: str, timeout: float) -> None:
        import urllib3

        super().__init__(url, timeout)
        self.pools = urllib3.PoolManager(retries=False)

    def attempt(self, call: Callable[[], str]) -> str:
        import urllib3

        try:
            return super().attempt(call)
        except urllib3.exceptions.TimeoutError:
            return "failed: timeout"
        except urllib3.exceptions.HTTPError:
            return "failed: connection"

    def health(self) -> str:
        response = self.pools.request("GET", f"{self.url}/v1/health", headers=dict(HEADERS), timeout=self.timeout)
        return str(json.loads(response.data)["data"]["version"])

    def stream(self) -> str:
        options: dict[str, Any] = {"preload_content": False, "timeout": self.timeout}
        body = json.dumps({"message": "hi", "stream": True})
        response = self.pools.request("POST", f"{self.url}/v1/chat", headers=dict(HEADERS), body=body, **options)
        found = text_of(iter(response.read().decode().splitlines()))
        response.release_conn()
        return found

    def close(self) -> None:
        self.pools.clear()


class FreshUrllib3(PlainUrllib3):
    """urllib3 by itself, with connections of its own for each call."""

    def attempt(self, call: Callable[[], str]) -> str:
        self.pools.clear()
        return super().attempt(call)


class PlainAiohttp(Looped):
    """aiohttp by itself, with one session, which is made at the first call as that of the transport is."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, timeout)
        self.session: Any = None

    async def _request(self, method: str, path: str, **options: Any) -> str:
        import aiohttp

        if self.session is None:
            self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(self.timeout))
        async with self.session.request(method, f"{self.url}{path}", headers=dict(HEADERS), **options) as response:
            return str(await response.text())

    def health(self) -> str:
        return str(json.loads(self.run(self._request("GET", "/v1/health")))["data"]["version"])

    def stream(self) -> str:
        text = self.run(self._request("POST", "/v1/chat", json={"message": "hi", "stream": True}))
        return text_of(iter(text.splitlines()))

    def close(self) -> None:
        if self.session is not None:
            self.run(self.session.close())
        self.loop.close()


def make_caller(
    options: dict[str, Any],
    make_session: Callable[[], Any] | None,
    make_adapter: Callable[[], Any] | None,
    settings: Mapping[str, Any],
) -> Caller:
    """The caller that a program was asked to be."""
    kind, url, timeout = options["caller"], options["url"], options.get("timeout", 20)
    plain = {
        "fresh requests": FreshRequests,
        "fresh urllib3": FreshUrllib3,
        "plain aiohttp": PlainAiohttp,
        "plain urllib3": PlainUrllib3,
    }
    if kind in plain:
        return plain[kind](url, timeout)
    if kind == "aiohttp":
        return AsyncClient(url, timeout, settings)
    if kind == "urllib3":
        from muxi_transports.urllib3 import Urllib3Transport

        return Client(url, timeout, Urllib3Transport(**settings))
    import requests

    session = make_session() if make_session is not None else requests.Session()
    if make_adapter is not None:
        session.mount("http://", make_adapter())
        session.mount("https://", make_adapter())
    if kind == "plain requests":
        return PlainRequests(url, timeout, session)
    from muxi_transports.requests import RequestsTransport

    if kind == "session":
        return Client(url, timeout, RequestsTransport(session=session))
    if kind == "adapters":
        assert make_adapter is not None
        return Client(url, timeout, RequestsTransport(adapters={"http://": make_adapter(), "https://": make_adapter()}))
    assert kind == "requests"
    return Client(url, timeout, RequestsTransport(**settings))


@dataclass
class Stage:
    """A caller, and notes of what it got in each phase of a program."""

    options: dict[str, Any]
    caller: Caller
    phases: list[dict[str, Any]] = field(default_factory=list)

    def call(self, phase: str, seen: Callable[[], Any] = lambda: None) -> None:
        """Make the calls of a phase, and note their answers, the lane, and what the tool has seen of them."""
        lane = self.caller.explain()
        answers = self.caller.everything()
        self.phases.append({"phase": phase, "answers": answers, "lane": lane, "seen": seen()})

    def call_before(self) -> None:
        """The first call, in a program that starts its tool late."""
        if self.options["late"]:
            self.call("before")


@contextlib.contextmanager
def staged(
    make_session: Callable[[], Any] | None = None,
    make_adapter: Callable[[], Any] | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Stage]:
    """The stage of this program; its notes are printed at the end.

    Args:
        make_session: makes the session of callers that have one.
        make_adapter: makes the adapter that is mounted on it, or given to the transport.
        settings: of the transport that is made.
    """
    options = json.loads(sys.argv[1])
    caller = make_caller(options, make_session, make_adapter, settings)
    stage = Stage(options, caller)
    yield stage
    caller.close()
    print(json.dumps(stage.phases))
