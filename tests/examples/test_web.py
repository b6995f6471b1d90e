"""The examples of web applications stream a chat, share one client, and cancel the turn of a browser that goes away."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from muxi import AsyncFormationClient, MuxiError
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, Failure, Part, Pause, Turn
from tests.requirements import require_module

EXAMPLES = Path(__file__).parents[2] / "examples" / "web"


class Visit:
    """One request to an ASGI application, by a browser that reads the answer event by event."""

    def __init__(self, app: Any, path: str, body: object, headers: dict[str, str]) -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        content = json.dumps(body).encode() if body is not None else b""
        self._incoming.put_nowait({"type": "http.request", "body": content, "more_body": False})
        listed = {
            "host": "localhost",
            "content-type": "application/json",
            "content-length": str(len(content)),
            **headers,
        }
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "GET" if body is None else "POST", "scheme": "http", "path": path, "raw_path": path.encode(),
            "query_string": b"", "root_path": "", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in listed.items()],
        }  # fmt: skip
        self.task = asyncio.ensure_future(app(scope, self._incoming.get, self._sent.put))
        self.status = 0
        self._ended = False
        self.headers: dict[str, str] = {}

    async def next(self) -> str:
        """The next piece of the body; empty at its end."""
        while not self._ended:
            message = await asyncio.wait_for(self._sent.get(), 5)
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
                continue
            self._ended = not message.get("more_body")
            text: str = message.get("body", b"").decode()
            if text:
                return text
        await asyncio.wait_for(self.task, 5)
        return ""

    async def rest(self) -> str:
        """The rest of the body."""
        return "".join([piece async for piece in self._pieces()])

    async def _pieces(self) -> AsyncIterator[str]:
        while piece := await self.next():
            yield piece

    async def leave(self) -> None:
        """Close the connection, and wait until the application has noticed."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, 5)


class Site:
    """An example that runs over an in-memory world."""

    def __init__(self, module: ModuleType, app: Any, made: list[AsyncFormationClient]) -> None:
        self.module, self.app, self.made = module, app, made
        self.headers: dict[str, str] = {}

    def visit(self, path: str, body: object = None) -> Visit:
        return Visit(self.app, path, body, self.headers)

    @asynccontextmanager
    async def running(self) -> Any:
        """Start the application, and shut it down."""
        incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        task = asyncio.ensure_future(self.app(scope, incoming.get, sent.put))
        incoming.put_nowait({"type": "lifespan.startup"})
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        yield self
        incoming.put_nowait({"type": "lifespan.shutdown"})
        assert (await sent.get())["type"] == "lifespan.shutdown.complete"
        await task


def load(name: str) -> ModuleType:
    """An example as a module, once in a process: Django is set up only once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def world() -> EmbeddedFormation:
    def answer(turn: Turn) -> Iterator[Part]:
        yield "Wait"
        if "slow" in turn.message:
            yield Pause(3600.0)
        if "fail" in turn.message:
            yield Failure("no more")
        yield f" for <b>{turn.message}</b>"

    world = EmbeddedFormation()
    world.agent("support", answer)
    return world


@pytest.fixture(params=["fastapi", "django"])
def site(request: pytest.FixtureRequest, world: EmbeddedFormation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    require_module(request.param)
    module = load(f"chat_{request.param}")
    made: list[AsyncFormationClient] = []

    def make() -> AsyncFormationClient:
        made.append(AsyncFormationClient(transport=AsyncMemoryTransport(world)))
        return made[-1]

    monkeypatch.setattr(module, "AsyncFormationClient", make)
    if request.param == "fastapi":
        yield Site(module, module.app, made)
        return
    from django.core.handlers.asgi import ASGIHandler
    from django.test import override_settings

    # Another example may have set Django up in this process.
    middleware = ["django.middleware.csrf.CsrfViewMiddleware"]
    with override_settings(ROOT_URLCONF="chat_django", MIDDLEWARE=middleware, ALLOWED_HOSTS=["localhost"]):
        monkeypatch.setattr(module, "django_application", ASGIHandler())
        site = Site(module, module.application, made)
        token = "a" * 32
        site.headers = {"cookie": f"csrftoken={token}", "x-csrftoken": token}
        yield site


def run(main: Any) -> None:
    asyncio.run(asyncio.wait_for(main, 20))


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    frames = [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in text.split("\n\n") if frame]
    return [(frame["event"], json.loads(frame["data"])) for frame in frames]


def test_an_answer_comes_as_events_and_the_session_goes_on(site: Site) -> None:
    async def main() -> None:
        async with site.running():
            visit = site.visit("/chat", {"message": "a"})
            *texts, (last, done) = events_of(await visit.rest())
            assert visit.status == 200
            assert visit.headers["content-type"].startswith("text/event-stream")
            assert "".join(data["text"] for _, data in texts) == "Wait for <b>a</b>"
            assert (last, list(done)) == ("done", ["session_id"])
            again = events_of(await site.visit("/chat", {"message": "b", **done}).rest())
            assert again[-1] == ("done", done)
            assert len(site.made) == 1

    run(main())


def test_a_browser_that_goes_away_cancels_the_turn(site: Site, world: EmbeddedFormation) -> None:
    async def main() -> None:
        async with site.running():
            visit = site.visit("/chat", {"message": "slow"})
            assert events_of(await visit.next()) == [("text", {"text": "Wait"})]
            await visit.leave()
            (tracked,) = world.tracker.listed()
            assert tracked.status == "cancelled"

    run(main())


def test_an_error_before_the_stream_is_a_status_and_one_in_it_an_event(site: Site) -> None:
    async def main() -> None:
        async with site.running():
            failed = events_of(await site.visit("/chat", {"message": "fail"}).rest())
            assert [name for name, _ in failed] == ["text", "error"]
            assert failed[-1][1]["error"] == "no more"
            await site.made[0].close()
            refused = site.visit("/chat", {"message": "x"})
            assert "closed" in json.loads(await refused.rest())["error"]
            assert refused.status == 502

    run(main())


def test_the_client_is_made_and_closed_with_the_application(site: Site) -> None:
    async def main() -> None:
        async with site.running():
            (client,) = site.made
            await client.health()
        with pytest.raises(MuxiError, match="closed"):
            await client.health()

    run(main())


def test_the_page_writes_answers_as_text(site: Site) -> None:
    async def main() -> None:
        async with site.running():
            visit = site.visit("/")
            page = await visit.rest()
            assert visit.status == 200
            assert "textContent" in page
            assert "innerHTML =" not in page

    run(main())
