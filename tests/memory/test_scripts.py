"""Scripts: what an agent replies to which message."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from muxi import FormationClient, TurnFailed
from muxi.errors import ConfigurationError, ServerError
from muxi_transports.memory import Defect, EmbeddedFormation, MemoryTransport, Question, Replies


@pytest.fixture
def client(formation: EmbeddedFormation) -> Iterator[FormationClient]:
    with FormationClient(transport=MemoryTransport(formation), url="http://memory", client_key="fmc_test") as client:
        yield client


def say(client: FormationClient, message: str, **fields: str) -> str:
    return str(client.chat({"message": message, **fields}, user_id="ada")["message"]["content"])


def test_texts_come_before_patterns_and_patterns_in_order(
    client: FormationClient, formation: EmbeddedFormation
) -> None:
    formation.script(
        {
            re.compile(r"weather in (?P<city>\w+)", re.IGNORECASE): lambda turn: f"Sunny in {turn.groups['city']}.",
            re.compile(".*weather.*"): "Which city?",
            "weather": "Where?",
        },
        otherwise="Pardon?",
    )
    said = ["Weather in Rome", "the weather", "weather", "news", "weather in Rome, please"]
    assert [say(client, text) for text in said] == ["Sunny in Rome.", "Which city?", "Where?", "Pardon?", "Which city?"]


def test_what_is_not_in_a_script_is_echoed(client: FormationClient, formation: EmbeddedFormation) -> None:
    formation.script({})
    assert say(client, "hello") == "You said: hello"


def test_replies_in_order(client: FormationClient, formation: EmbeddedFormation) -> None:
    script = formation.script(["one", lambda turn: f"two: {turn.message}"])
    assert [say(client, "a"), say(client, "b")] == ["one", "two: b"]
    with pytest.raises(ServerError, match="the script has 2 replies, and this is message 3: 'c'"):
        say(client, "c")
    assert script.messages == ["a", "b", "c"]


def test_a_line_may_be_a_script(client: FormationClient, formation: EmbeddedFormation) -> None:
    formation.script({"next": Replies.in_order("one", "two", then="no more")})
    assert [say(client, "next") for _ in range(4)] == ["one", "two", "no more", "no more"]


def test_a_line_may_be_an_exception_or_any_reply(client: FormationClient, formation: EmbeddedFormation) -> None:
    formation.script({"boom": ValueError("bad"), "ask": Question("Which?"), "slow": ("a ", "b")})
    with pytest.raises(TurnFailed, match="bad"):
        list(client.chat_stream("boom", user_id="ada"))
    assert (say(client, "ask"), say(client, "slow")) == ("Which?", "a b")


def test_a_script_for_another_agent(client: FormationClient, formation: EmbeddedFormation) -> None:
    formation.agent("assistant", lambda turn: "I do not know.")
    researcher = formation.script({"x": "found"}, agent_id="researcher")
    assert (say(client, "x"), say(client, "x", agent_id="researcher")) == ("I do not know.", "found")
    assert researcher.turns[0].agent_requested == "researcher"


def test_a_turn_says_where_it_comes_from(client: FormationClient, formation: EmbeddedFormation) -> None:
    script = formation.script({})
    formation.trigger("ping", "ping")
    say(client, "x", group_id="g", source_channel="slack")
    client.fire_trigger("ping", {}, user_id="ada")
    assert [(turn.group_id, turn.source_channel, turn.trigger) for turn in script.turns] == [
        ("g", "slack", None),
        (None, None, "ping"),
    ]


def test_the_same_seed_gives_the_same_ids() -> None:
    def ids() -> list[str]:
        formation = EmbeddedFormation(seed="s")
        formation.agent("assistant", lambda turn: "x")
        with FormationClient(transport=MemoryTransport(formation), url="http://memory", client_key="k") as client:
            return [client.chat("x", user_id="ada")["session_id"] or "" for _ in range(3)]

    assert ids() == ids()


def test_triggers_have_names_that_fit_a_path(formation: EmbeddedFormation) -> None:
    with pytest.raises(ConfigurationError, match="'a b'"):
        formation.trigger("a b", "x")


def test_what_is_no_defect_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'typo'; there are .*silent_feeds"):
        EmbeddedFormation(imitate=["typo", Defect.SILENT_FEEDS])
    assert EmbeddedFormation(imitate="silent_feeds").imitates(Defect.SILENT_FEEDS)
    assert not EmbeddedFormation().imitates(Defect.SILENT_FEEDS)
