"""The plugins every client has: headers, the log, random ids."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from muxi import MuxiError, __version__
from muxi.identifiers import random_id
from tests.core.answers import Colour, Playback, answer, chat_answer, failure, refused


@pytest.fixture
def logger() -> logging.Logger:
    """A logger that nobody else knows, without handlers on the way up."""
    return logging.Logger("tests.core.log")


def test_the_platform_is_told_which_sdk_this_is(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play).get_memories, "ada")
    headers = play.request.headers
    assert headers["X-Muxi-SDK"] == f"python/{__version__}"
    assert headers["User-Agent"] == f"muxi-client/{__version__}"
    assert re.fullmatch(r"\w+-\w+/py3\.\d+\.\d+\S*", headers["X-Muxi-Client"])


def test_a_callers_own_header_stays(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play, headers={"user-agent": "mine/1"}).get_memories, "ada")
    assert play.header("User-Agent") == ["mine/1"]


def test_each_attempt_has_a_line_in_the_log(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "muxi")
    play = Playback(refused(), failure(429, retry_after="2"), chat_answer())
    colour.run(colour.formation(play).chat, {"message": "a secret", "request_id": "req_mine"})
    lines = [record.getMessage() for record in caplog.records if record.name == "muxi"]
    assert [re.sub(r"in [\d.]+ s", "in T s", line) for line in lines] == [
        "chat (POST /chat) -> CONNECTION_REFUSED: nobody listens there in T s (attempt 1, request req_mine)",
        "chat (POST /chat) -> 429 in T s (attempt 2, request req_mine)",
        "chat (POST /chat) -> 200 in T s (attempt 3, request req_mine)",
    ]


def test_nothing_is_logged_at_the_usual_level(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MuxiError):
        colour.run(colour.formation(refused(), failure(401)).get_memories, "ada")
    assert caplog.records == []


def test_debugging_shows_the_log_without_any_set_up(
    colour: Colour, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        colour.run(
            colour.formation(answer({"memories": [], "count": 0}), debug=True, logger=logger).get_memories, "ada"
        )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, "one line for each call, however many clients there are"
    assert "tests.core.log get_memories (GET /memories) -> 200" in lines[0]


def test_debugging_leaves_a_programs_own_handlers_alone(logger: logging.Logger, capsys: Any) -> None:
    handler = logging.NullHandler()
    logger.addHandler(handler)
    Colour().formation(answer({}), debug=True, logger=logger).get_memories("ada")
    assert logger.handlers == [handler]
    assert capsys.readouterr().err == ""


def test_random_ids_have_the_platforms_form() -> None:
    ids = {random_id("req_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"req_[_0-9A-Za-z]{21}", it) for it in ids)
    assert len(random_id("x", 8)) == 9
