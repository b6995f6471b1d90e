"""The file of ``muxi-client serve --script``: what it can say, and how its mistakes are told."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import FormationClient, ManualClock
from muxi.cli.commands.serve.script import ScriptError, ServeScript, read_script
from muxi.errors import TurnFailed
from muxi_transports.memory import EmbeddedFormation, MemoryTransport

WHOLE = """\
formation: {id: desk, name: Desk, description: For tests, version: 1.10}
agents:
  host:
    replies:
      - message: ask
        reply:
          clarification: {question: "Which one?", options: [work, home]}
      - message: plan
        reply: {approval: "1. Research"}
      - message: later
        reply: {later: {seconds: 90, reply: "Done, ${{ user_id }}."}}
      - message: again
        reply: {escalation: {seconds: 5, reply: Got it.}}
      - message: widgets
        reply:
          - widgets: [{type: action_link, id: a, label: Open, url: "https://example.com"}]
          - Look.
      - message: lost
        reply: {discontinuity: {text: one two three, after: 1}}
      - message: quiet
        reply: {silence: I say nothing.}
      - message: early
        reply: {error: {message: no model, type: ModelError, early: true}}
      - message: file
        reply:
          artifact: {filename: a.bin, base64: /wA=, content_type: application/x-a}
      - pattern: "(\\\\d+) and (\\\\d+)"
        reply: "${{ groups.2 }}, ${{groups.1}}; ${{ message }} in ${{ session_id }} by ${{ agent_id }}"
      - message: steps
        reply: {in_order: [One., Two.]}
    otherwise: no
  clerk:
    in_order: [First., {error: Second.}]
    then: Third.
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> ServeScript:
        Path("replies.yaml").write_text(text, encoding="utf-8")
        return read_script("replies.yaml")

    return write


@pytest.fixture
def client(write: Any) -> Any:
    script = write(WHOLE)
    formation = EmbeddedFormation(script.formation_id, clock=ManualClock())
    for agent_id, replies in script.agents.items():
        formation.agent(agent_id, replies)
    with FormationClient(url="http://memory", client_key="any", transport=MemoryTransport(formation)) as client:
        yield client


def test_what_a_formation_is(write: Any) -> None:
    script = write(WHOLE)
    assert (script.formation_id, script.name, script.version) == ("desk", "Desk", "1.10")
    assert list(script.agents) == ["host", "clerk"]


def test_every_kind_of_reply(client: FormationClient) -> None:
    def chat(text: str, **more: Any) -> Any:
        return client.chat({"message": text, "session_id": "s", **more}, user_id="ada")["message"]

    assert chat("5 and 6")["content"] == "6, 5; 5 and 6 in s by host"
    assert chat("whatever")["content"] == "no"
    assert chat("ask")["ui"][0]["options"][1]["value"] == "home"
    assert chat("widgets")["ui"][0]["label"] == "Open"
    assert chat("file")["artifacts"][0]["filename"] == "a.bin"
    assert chat("quiet")["content"] == "I say nothing."
    assert [chat("steps")["content"] for _ in range(2)] == ["One.", "Two."]
    later = chat("later")
    assert later["status"] == "processing"
    waited = client.wait_for_request(later["request_id"], "ada")
    assert waited["result"] == "Done, ada."
    with pytest.raises(TurnFailed, match="no model"):
        client.chat_stream("early", user_id="ada").result()
    assert chat("x", agent_id="clerk")["content"] == "First."
    with pytest.raises(TurnFailed, match=r"Second\."):
        client.chat_stream({"message": "x", "agent_id": "clerk"}, user_id="ada").result()
    assert chat("x", agent_id="clerk")["content"] == "Third."


MISTAKES = [
    ("replies: [", "1: this is no YAML"),
    ("- a\n- b\n", "1: a mapping is expected here (replies, otherwise,"),
    ("formation: {id: a b}", "1: formation.id: an id is a part of URLs"),
    ("formation:\n  nam: x", "2: formation.nam: there is no such key; there are id, name, description, version"),
    ("otherwise: a\notherwise: b", "2: otherwise: duplicate key"),
    ("otherwise:", "1: otherwise: a text is expected here, or one of text, pause"),
    ("replies: hello", "1: replies: a list is expected here, not 'hello'"),
    ("replies:\n- message: a", "2: replies[0]: 'reply' is missing"),
    ("replies:\n- {reply: a}", "2: replies[0]: either 'message' (a whole text) or 'pattern'"),
    ("replies:\n- {message: a, reply: b}\n- {message: a, reply: c}", "3: replies[1]: there is a reply to this already"),
    ("replies:\n- {pattern: '(', reply: b}", "2: replies[0].pattern: this is no regular expression: missing )"),
    ("otherwise: ${{ groups.x }}", "1: otherwise: there is no 'groups.x' to fill in; there is agent_id, message"),
    ("otherwise: {error: a, text: b}", "1: otherwise: one thing is expected here, not error and text"),
    ("otherwise:\n- pause: soon", "2: otherwise[0].pause: a number is expected here that is not less than 0, not"),
    ("otherwise:\n- later: {reply: a}", "2: otherwise[0].later: there is no such key; there are text, pause"),
    ("otherwise: {error: {early: true}}", "1: otherwise.error: 'message' is missing"),
    ("otherwise: {error: {message: a, early: 1}}", "1: otherwise.error.early: true or false is expected here"),
    ("otherwise: {artifact: {filename: a}}", "1: otherwise.artifact: either 'content' (a text) or 'base64'"),
    ("otherwise: {artifact: {filename: a, base64: '*'}}", "1: otherwise.artifact.base64: this is no base64"),
    ("otherwise: {widgets: [{label: x}]}", "1: otherwise.widgets[0]: 'type' is missing"),
    ("in_order: []", "1: in_order: there is no reply here"),
    ("in_order: [a]\notherwise: b", "2: otherwise: an agent has replies by message or in order; here are both"),
    ("then: a", "1: then: this is what follows 'in_order'"),
    ("agents: {a: {otherwise: b}}\notherwise: c", "2: otherwise: with 'agents', replies belong to one of them"),
    ("triggers: {a b: c}", "1: triggers.a b: a trigger is named by letters"),
    ("memories:\n- {content: x}", "2: memories[0]: 'user_id' is missing"),
    ("memories:\n- {user_id: a, content: x, metadata: y}", "2: memories[0].metadata: a mapping is expected here"),
    ("history:\n- {user_id: a, day: today, summary: x}", "2: history[0].day: a day is expected here"),
    ("otherwise: &a {later: {reply: *a}}", "this goes too deep"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_told_with_its_place(write: Any, text: str, problem: str) -> None:
    with pytest.raises(ScriptError) as raised:
        write(text)
    assert str(raised.value).startswith("replies.yaml has ")
    assert problem in str(raised.value)


def test_all_mistakes_are_told_at_once(write: Any) -> None:
    with pytest.raises(ScriptError) as raised:
        write("formation: {nam: x}\nreplies:\n- message: a\ntrigers: {}\n")
    title, *lines = str(raised.value).splitlines()
    assert title == "replies.yaml has 3 errors:"
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4"]


def test_an_empty_script_is_an_echo(write: Any) -> None:
    assert write("# nothing\n") == ServeScript()


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"otherwise: \xff")
    with pytest.raises(ScriptError, match="it is not UTF-8"):
        read_script(str(path))


_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["replies", "message", "pattern", "reply", "text", "later", "in_order", "agents", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_YAML)
def test_whatever_is_in_a_script_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    import yaml

    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    with suppress(ScriptError):
        assert isinstance(read_script(str(path)), ServeScript)


def test_the_scripts_of_the_page_are_right(write: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    scripts = [write(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert [list(script.agents) for script in scripts] == [["assistant"], ["host", "clerk"]]
    assert scripts[0].triggers == {"alert": "${{ data.host }} is down."}
