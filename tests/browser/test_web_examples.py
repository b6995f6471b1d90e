"""The examples of web applications in a browser: answers appear as they are made, as text; Stop cancels the turn."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.requirements import require_module

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]

#: Runs an example over a world whose agent stops in the middle, and prints what becomes of its turns.
PROGRAM = """
import importlib, sys
import uvicorn
from muxi_transports.memory import EmbeddedFormation, AsyncMemoryTransport, Pause
from muxi import AsyncFormationClient

def answer(turn):
    yield "Thinking"
    if "slow" in turn.message:
        yield Pause(3600.0)
    yield f" of {turn.message}, number {len(turn.history) // 2 + 1}"

world = EmbeddedFormation()
world.agent("support", answer)
end = world.tracker.end
def ended(tracked, status, **rest):
    end(tracked, status, **rest)
    print(status, flush=True)
world.tracker.end = ended
module = importlib.import_module(sys.argv[1])
module.AsyncFormationClient = lambda: AsyncFormationClient(transport=AsyncMemoryTransport(world))
app = getattr(module, sys.argv[2])
config = uvicorn.Config(app, fd=int(sys.argv[3]), log_level="error", lifespan="on")
uvicorn.Server(config).run()
"""


@dataclass
class Site:
    """A server that runs."""

    url: str
    process: subprocess.Popen[str]

    def next_end(self) -> str:
        """How the next turn ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture(params=[("chat_fastapi", "app"), ("chat_django", "application")], ids=["fastapi", "django"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    require_module("uvicorn")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(16)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
    with (
        listening,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *request.param, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "examples" / "web"), str(ROOT)])},
        ) as process,
    ):
        yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}/", process)
        process.terminate()


def send(page: Page, message: str) -> None:
    page.fill("[name=message]", message)
    page.click("text=Send")


def test_an_answer_appears_and_the_next_one_knows_the_session(page: Page, site: Site) -> None:
    page.goto(site.url)
    hostile = "<img src=x onerror=alert(1)>"
    send(page, hostile)
    page.locator("#log .agent.done", has_text=f"Thinking of {hostile}, number 1").wait_for()
    send(page, "two")
    page.locator("#log .agent.done", has_text="Thinking of two, number 2").wait_for()
    assert page.locator("#log img").count() == 0
    assert site.next_end() == site.next_end() == "completed"


def test_stop_cancels_the_turn_and_so_does_closing_the_page(page: Page, site: Site) -> None:
    page.goto(site.url)
    send(page, "slow one")
    page.locator("#log .agent", has_text="Thinking").wait_for()
    page.click("#stop")
    page.locator("#log .error", has_text="stopped").wait_for()
    assert site.next_end() == "cancelled"
    send(page, "slow two")
    page.locator("#log .agent >> nth=1").get_by_text("Thinking").wait_for()
    page.close()
    assert site.next_end() == "cancelled"
