"""The bot keeps a conversation; Ctrl-C stops its answer, an error does not end it."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient
from muxi_transports.memory import EmbeddedFormation, Failure, MemoryTransport, Part, Turn

EXAMPLE = Path(__file__).parents[2] / "examples" / "bot.py"


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch) -> Any:
    def answer(turn: Turn) -> Iterator[Part]:
        yield f"{turn.message}, number {len(turn.history) // 2 + 1}"
        if turn.message == "stop":
            signal.raise_signal(signal.SIGINT)
        if turn.message == "fail":
            yield Failure("no more")
        yield "."

    world = EmbeddedFormation()
    world.agent("support", answer)
    spec = importlib.util.spec_from_file_location("bot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FormationClient", lambda: FormationClient(transport=MemoryTransport(world)))
    return module


def test_a_talk_goes_on_whatever_becomes_of_an_answer(
    bot: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = iter(["one", " ", "two", "stop", "fail", "three"])

    def read(prompt: str) -> str:
        try:
            return next(messages)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    assert bot.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["bot: one, number 1.", "bot: two, number 2."]
    assert lines[2].endswith(" (stopped)")
    assert lines[3].endswith(" (no more)")
    assert lines[4].startswith("bot: three, number ")


def test_ctrl_c_at_the_prompt_ends_it(
    bot: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    assert bot.main() == 0
    assert capsys.readouterr().out == "\n"
