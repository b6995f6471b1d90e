"""A real formation recorded with ``muxi_cassette``, and played back without any network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.live.lab.formations import ADMIN_KEY, CLIENT_KEY
from tests.live.probing import Live, probe

SYNC = """
import pytest

from muxi import NotFoundError


def test_calls(muxi_formation, muxi_cassette):
    answer = muxi_formation.chat("Tell me about NAME", user_id="tape")
    assert answer["message"]["content"] == "Stub reply to: Tell me about NAME"
    with pytest.raises(NotFoundError):
        muxi_formation.get_trigger("none")
    assert muxi_formation.get_agents()["count"] == 2
    assert muxi_cassette.all_played or muxi_cassette.recorded


def test_a_stream(muxi_formation, muxi_cassette):
    with muxi_formation.chat_stream("Count for NAME [[words:7]]", user_id="tape") as stream:
        assert "".join(stream.text()) == "w1 w2 w3 w4 w5 w6 w7"
"""

ASYNC = """
import asyncio

import pytest

from muxi import NotFoundError


def test_calls(muxi_async_formation, muxi_cassette):
    async def talk():
        answer = await muxi_async_formation.chat("Tell me about NAME", user_id="tape")
        assert answer["message"]["content"] == "Stub reply to: Tell me about NAME"
        with pytest.raises(NotFoundError):
            await muxi_async_formation.get_trigger("none")
        assert (await muxi_async_formation.get_agents())["count"] == 2

    asyncio.run(talk())


def test_a_stream(muxi_async_formation, muxi_cassette):
    async def read():
        async with await muxi_async_formation.chat_stream("Count for NAME [[words:7]]", user_id="tape") as stream:
            assert "".join([piece async for piece in stream.text()]) == "w1 w2 w3 w4 w5 w6 w7"

    asyncio.run(read())
"""


@probe()
def test_what_was_recorded_is_played_without_the_network(live: Live, tmp_path: Path) -> None:
    program = ASYNC if live.colour.asynchronous else SYNC
    # A name of its own: about a message that it knows the runtime does not ask the model again.
    name = f"{live.kind}-{live.name}"
    (tmp_path / "test_recorded.py").write_text(program.replace("NAME", name), encoding="utf-8")
    named = {"MUXI_FORMATION_URL": live.formation.url, "MUXI_CLIENT_KEY": CLIENT_KEY, "MUXI_ADMIN_KEY": ADMIN_KEY}
    _pytest(tmp_path, named)
    assert live.lab.model.turns(name) == 2
    tapes = sorted((tmp_path / "cassettes" / "test_recorded").glob("*.yaml"))
    assert [tape.stem for tape in tapes] == ["test_a_stream", "test_calls"]
    text = "".join(tape.read_text("utf-8") for tape in tapes)
    assert CLIENT_KEY not in text
    assert ADMIN_KEY not in text
    _pytest(tmp_path, {})
    assert live.lab.model.turns(name) == 2


def _pytest(folder: Path, variables: dict[str, str]) -> None:
    """Run the recorded tests in a process of their own, with nothing but these variables about a formation."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(folder)],
        cwd=folder,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
