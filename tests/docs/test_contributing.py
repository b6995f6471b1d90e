"""The diffs of CONTRIBUTING.md apply to this checkout, and what each adds works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: By the heading above a diff: a program that uses what it adds.
PROGRAMS = {
    "Add an endpoint": """
from muxi import AsyncFormationClient, FormationClient
from muxi.exchange.repeat import Repeat, repeat_of

call = FormationClient.get_tuning_history.call(limit=3)
assert (call.method, call.target()) == ("GET", "/tuning/history?limit=3")
assert repeat_of(call) is Repeat.SAFE
assert AsyncFormationClient.get_tuning_history.call(limit=3) == call
""",
    "Add a plugin": """
from muxi import FormationClient
from muxi.plugins import Correlation
from muxi.transport import BufferedResponse, Transport, replayed

class Answering(Transport):
    def send(self, request):
        self.sent = request
        return replayed(BufferedResponse(200, [("Content-Type", "application/json")], b'{"success": true, "data": {}}'))

transport = Answering()
settings = dict(url="http://127.0.0.1", client_key="k", transport=transport, validate_responses="off")
FormationClient(plugins=[Correlation(lambda: "c-1")], **settings).health()
assert transport.sent.headers["X-Correlation-ID"] == "c-1"
FormationClient(plugins=[Correlation(lambda: None)], **settings).health()
assert "X-Correlation-ID" not in transport.sent.headers
""",
    "Add a transport": """
import asyncio
from muxi.transport import AsyncTransport, BufferedResponse, Request, Transport, replayed, replayed_async
from muxi_transports.mirrored import AsyncMirroredTransport, MirroredTransport

sent = []

class Answering(Transport):
    def send(self, request):
        sent.append(request.url)
        return replayed(BufferedResponse(200, [], request.url.encode()))

class AsyncAnswering(AsyncTransport):
    async def send(self, request):
        sent.append(request.url)
        return replayed_async(BufferedResponse(200, [], request.url.encode()))

def sync():
    transport = MirroredTransport("http://a", "http://b", Answering())
    return transport.send(Request("GET", "http://a/x")).read()

async def asynchronous():
    transport = AsyncMirroredTransport("http://a", "http://b", AsyncAnswering())
    return await (await transport.send(Request("GET", "http://a/x"))).read()

for answer in (sync(), asyncio.run(asynchronous())):
    assert answer == b"http://a/x"
assert sent == ["http://b/x", "http://a/x"] * 2
""",
    "Add an option": """
from muxi import FormationClient
from muxi.transport import BufferedResponse, Transport, replayed

class Answering(Transport):
    def send(self, request):
        self.sent = request
        return replayed(BufferedResponse(200, [("Content-Type", "application/json")], b'{"success": true, "data": {}}'))

transport = Answering()
client = FormationClient(
    url="http://127.0.0.1", client_key="k", transport=transport, accept_language="de", validate_responses="off"
)
client.health()
assert transport.sent.headers["Accept-Language"] == "de"
client.with_options(accept_language="fr").health()
assert transport.sent.headers["Accept-Language"] == "fr"
""",
}


def _diffs() -> dict[str, str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {
        match["heading"]: match["diff"]
        for section in re.split(r"(?m)^(?=## )", text)
        if (match := re.search(r"\A## (?P<heading>[^\n]+)\n.*?```diff\n(?P<diff>.*?)```", section, re.DOTALL))
    }


def test_every_diff_has_a_program_that_uses_it() -> None:
    assert list(_diffs()) == list(PROGRAMS)


@pytest.mark.parametrize("heading", PROGRAMS)
def test_the_change_applies_and_works(heading: str, tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed, which applies the diffs")
    for package in ("muxi", "muxi_transports"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    diff = _diffs()[heading]
    applied = subprocess.run(
        [git, "apply", "-C1", "-"], input=diff, text=True, capture_output=True, cwd=tmp_path, check=False
    )
    assert applied.returncode == 0, applied.stderr
    used = subprocess.run(
        [sys.executable, "-c", PROGRAMS[heading]], text=True, capture_output=True, cwd=tmp_path, check=False
    )
    assert used.returncode == 0, used.stderr
