"""A formation as its author defines it: in code, and in files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient
from muxi.errors import ConfigurationError
from muxi_transports.memory import (
    AgentDefinition,
    EmbeddedFormation,
    FormationDefinition,
    KnowledgeSource,
    McpServerDefinition,
    MemoryTransport,
    SkillDefinition,
    SopDefinition,
    read_formation,
)
from muxi_transports.memory.formation.state.secrets import Secrets, mask_secret

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(files: dict[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return tmp_path

    return write


def ask(definition: FormationDefinition, method: str, *args: Any) -> Any:
    transport = MemoryTransport(EmbeddedFormation(definition=definition))
    with FormationClient(transport=transport, url="http://memory", client_key="c", admin_key="a") as client:
        return getattr(client, method)(*args)


FILES = {
    "formation.afs": """
schema: "1.0.0"
id: weather
name: The weather
description: Tells the weather
version: 2.1.0
agents:
  - forecaster
  - id: writer
    name: Writer
    knowledge:
      sources:
        - path: knowledge/style.md
        - {id: news, url: "https://example.com/news"}
overlord:
  soul: You are brief.
llm:
  models:
    - text: openai/gpt-4o
  api_keys: {openai: "${{ secrets.MY_KEY }}"}
mcp:
  default_timeout_seconds: 20
  servers:
    - id: sky
      type: http
      endpoint: https://sky.example.com
      auth: {type: bearer, token: "${{ user.credentials.sky }}"}
async:
  webhook_url: https://hook.example.com/x
skills: [clouds, built-in-one]
links:
  sky: {label: Connect, url: "https://example.com"}
""",
    "agents/forecaster.yaml": "id: forecaster\ndescription: Looks at the sky\nsystem_message: Look up.\n",
    "skills/clouds/SKILL.md": "---\nname: clouds\ndescription: Names clouds\nallowed-tools: Read Write\n---\nClouds",
    "skills/clouds/reference/types.md": "cirrus",
    "sops/storm.md": "---\ntype: guide\n---\n1. Warn\n2. Wait\n",
    "triggers/alert.md": "Storm over ${{ data.city }}",
    "MUXI.md": "- be kind\n",
}


def test_a_folder_is_read(write: Write) -> None:
    definition = read_formation(write(FILES))
    assert (definition.id, definition.name, definition.version) == ("weather", "The weather", "2.1.0")
    assert [(agent.id, agent.system_message) for agent in definition.agents] == [
        ("forecaster", "Look up."),
        ("writer", ""),
    ]
    assert definition.agents[1].knowledge == (
        KnowledgeSource("knowledge/style.md", "knowledge/style.md"),
        KnowledgeSource("news", "https://example.com/news"),
    )
    assert definition.skills == [
        SkillDefinition("clouds", "Names clouds", allowed_tools=("Read", "Write"), resources=("reference/types.md",)),
        SkillDefinition("built-in-one"),
    ]
    assert definition.sops == [SopDefinition("storm", "1. Warn\n2. Wait")]
    assert definition.mcp_servers[0].services == ["sky"]
    assert definition.mcp == {"default_timeout_seconds": 20}
    assert definition.other == {"links": {"sky": {"label": "Connect", "url": "https://example.com"}}}
    assert definition.proactive is None
    formation = EmbeddedFormation(definition=definition)
    assert (formation.formation_id, formation.name, formation.description) == (
        "weather",
        "The weather",
        "Tells the weather",
    )
    assert formation.webhooks.default_url == "https://hook.example.com/x"
    assert formation.state.tuning.content == "- be kind"
    assert ask(definition, "get_triggers")["triggers"] == ["alert"]
    assert (
        ask(definition, "chat", {"message": "Rain?", "agent_id": "writer"})["message"]["content"] == "You said: Rain?"
    )


def test_a_file_is_given_back_as_it_was_written(write: Write) -> None:
    document = ask(read_formation(write(FILES) / "formation.afs"), "get_formation_info")
    assert document["overlord"] == {"soul": "You are brief."}
    assert document["mcp"]["servers"][0]["auth"]["token"] == "${{ user.credentials.sky }}"
    assert document["links"] == {"sky": {"label": "Connect", "url": "https://example.com"}}
    assert "memory" not in document
    overlord = ask(read_formation(write(FILES)), "get_overlord_config")
    assert (overlord["soul"], overlord["caching"]) == ("You are brief.", {"enabled": False})


def test_secrets_in_use_are_those_the_file_names(write: Write) -> None:
    assert read_formation(write(FILES)).secrets_in_use() == {"ADMIN_KEY", "CLIENT_KEY", "MY_KEY"}


def test_arguments_go_before_the_definition() -> None:
    definition = FormationDefinition(id="a", name="A", description="of the file", version="3")
    formation = EmbeddedFormation("b", name="B", description="given", version="4", definition=definition)
    assert (formation.formation_id, formation.name, formation.description, formation.version) == (
        "b",
        "B",
        "given",
        "4",
    )
    assert EmbeddedFormation().formation_id == "my-assistant"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "has no formation file"),
        ({"formation.yaml": "id: [a"}, "is no YAML"),
        ({"formation.yaml": "- a"}, "formation.yaml is not a mapping"),
        ({"formation.yaml": "id: {a: b}"}, "'id' is not a text"),
        ({"formation.yaml": "agents: {a: b}"}, "formation.yaml: agents is not a list"),
        ({"formation.yaml": "agents: [{name: x}]"}, r"agents\[0\] has no 'id'"),
        ({"formation.yaml": "agents: [nobody]"}, "there is no file agents/nobody.yaml"),
        ({"formation.yaml": "agents: [{id: a}, {id: a}]"}, "several agents called a"),
        ({"formation.yaml": "overlord: nice"}, "formation.yaml: overlord is not a mapping"),
        ({"formation.yaml": "mcp: {servers: [1]}"}, r"mcp.servers\[0\] is not a mapping"),
        ({"formation.yaml": "triggers: x", "triggers/a b.md": "x"}, "'a b'"),
    ],
)
def test_what_does_not_fit_is_said(files: dict[str, str], complaint: str, write: Write) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        EmbeddedFormation(definition=read_formation(write(files)))


def test_a_path_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no formation file"):
        read_formation(tmp_path / "formation.yaml")


def test_files_need_pyyaml(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'muxi-client\[test\]'"):
        read_formation(write(FILES))


@pytest.mark.parametrize(
    "parts",
    [
        {"agents": [AgentDefinition("a"), AgentDefinition("a")]},
        {"skills": [SkillDefinition("a"), SkillDefinition("a")]},
        {"sops": [SopDefinition("a"), SopDefinition("a")]},
        {"mcp_servers": [McpServerDefinition("a"), McpServerDefinition("a")]},
    ],
)
def test_names_are_given_once(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="called a"):
        FormationDefinition(**parts)


@pytest.mark.parametrize("parts", [{"agents": ["a"]}, {"mcp_servers": [{"id": "a"}]}, {"skills": [SopDefinition("a")]}])
def test_parts_are_what_they_are_called(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"\[0\] is a (str|dict|SopDefinition), not a"):
        FormationDefinition(**parts)


def test_a_definition_is_no_mapping() -> None:
    given: Any = {"agents": []}
    with pytest.raises(ConfigurationError, match="not a dict"):
        EmbeddedFormation(definition=given)


def test_a_definition_shows_no_secrets() -> None:
    definition = FormationDefinition(
        secrets={"A": "hushhush"},
        llm={"api_keys": {"openai": "hushhush"}},
        memory={"persistent": {"connection_string": "postgresql://muxi:hushhush@db/muxi"}},
        mcp_servers=[McpServerDefinition("a", auth={"token": "hushhush"})],
    )
    assert "hushhush" not in repr(definition) + repr(definition.mcp_servers)


def test_two_formations_share_no_defaults() -> None:
    one, other = FormationDefinition(), FormationDefinition()
    one.memory.pop("lint")
    one.secrets["A"] = "b"
    assert "lint" in other.memory
    assert "A" not in other.secrets


def test_a_definition_is_not_changed_by_what_happens() -> None:
    definition = FormationDefinition(secrets={"A": "one"})
    before = json.dumps(vars(definition), default=str)
    formation = EmbeddedFormation(definition=definition)
    formation.state.secrets.put("B", "two")
    formation.state.tuning.replace("x")
    assert json.dumps(vars(definition), default=str) == before


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "••••••••"),
        ("12345678", "••••••••"),
        ("123456789", "1234••••••••6789"),
        ("fma_wirelab_admin_0123456789", "fma_••••••••6789"),
        ("sk-stub-key-0123", "sk-st••••••0123"),
    ],
)
def test_a_secret_shows_its_ends(value: str, shown: str) -> None:
    assert mask_secret(value) == shown


def test_secrets_show_no_values_of_themselves() -> None:
    assert "hushhush" not in repr(Secrets({"A": "hushhush"}))
