"""One key for a logical call, where the runtime honours one."""

from __future__ import annotations

import uuid

from muxi import meta
from muxi.plugins import Idempotency
from tests.answers import Colour, Playback, answer, chat_answer, died

HEADER = "X-Muxi-Idempotency-Key"


def test_it_is_the_same_over_all_attempts_and_another_for_each_call(colour: Colour) -> None:
    play = Playback(died(), chat_answer(), chat_answer())
    client = colour.formation(play)
    colour.run(client.chat, "hi")
    colour.run(client.chat, "hi")
    first, again, other = play.header(HEADER)
    assert first == again != other
    assert str(uuid.UUID(str(first))) == first


def test_there_is_none_where_the_runtime_knows_none(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    client = colour.formation(play)
    colour.run(client.get_memories, "ada")
    colour.run(client.add_memory, "I am Ada", user_id="ada")
    assert play.header(HEADER) == [None, None]


def test_the_callers_own_is_taken(colour: Colour) -> None:
    play = Playback(died(), chat_answer(), chat_answer())
    client = colour.formation(play)
    colour.run(client.with_options(idempotency_key="order-4711").chat, "hi")
    result = colour.run(client.with_options(headers={HEADER: "order-4712"}).chat, "hi")
    assert play.header(HEADER) == ["order-4711", "order-4711", "order-4712"]
    assert meta(result).idempotency_key == "order-4712"


def test_keys_may_be_made_otherwise(colour: Colour) -> None:
    numbers = iter("123")
    play = Playback(chat_answer(), chat_answer())
    client = colour.formation(play, plugins=[Idempotency(lambda: f"job-{next(numbers)}")])
    colour.run(client.chat, "hi")
    colour.run(client.chat, "hi")
    assert play.header(HEADER) == ["job-1", "job-2"]


def test_without_the_plugin_there_is_no_key_and_nothing_unsafe_is_repeated(colour: Colour) -> None:
    import pytest

    from muxi import ConnectionError

    play = Playback(died())
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(play, disable_plugins=["muxi.idempotency"]).chat, "hi")
    assert play.header(HEADER) == [None]
