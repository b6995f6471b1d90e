"""A whole script: the formation, its agents, its triggers, and what it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from muxi.cli.serve.script.document import Problems, ScriptEntry, ScriptError, open_document
from muxi.cli.serve.script.replies import AGENT_KEYS, read_agent
from muxi.errors import ConfigurationError
from muxi_transports.memory import EmbeddedFormation, Replies

__all__ = ["SeededMemory", "ServeScript", "read_script"]

_KEYS = ("formation", "agents", *AGENT_KEYS, "triggers", "memories", "history")
_HISTORY = ("user_id", "day", "summary", "decisions", "projects", "context")


@dataclass(frozen=True)
class SeededMemory:
    """A memory that is there from the beginning."""

    user_id: str
    content: str
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass
class ServeScript:
    """What a script says."""

    formation_id: str = "my-assistant"
    name: str | None = None
    description: str = ""
    version: str = "1.0.0"
    agents: dict[str, Replies] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    memories: list[SeededMemory] = field(default_factory=list)
    #: The arguments of ``write_history``.
    history: list[dict[str, Any]] = field(default_factory=list)


def read_script(path: str) -> ServeScript:
    """Read a script.

    Raises:
        ScriptError: it cannot be read, or has mistakes; the message has all of them with their lines.
        ConfigurationError: PyYAML is not installed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ScriptError(f"cannot read the script {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"cannot read the script {path}: it is not UTF-8: {error}") from error
    problems = Problems(path)
    document, script = open_document(text, problems), ServeScript()
    if document is not None:
        fields = document.fields(_KEYS)
        _read_agents(fields, script)
        for name, read in _READERS.items():
            if name in fields:
                read(fields[name], script)
    problems.check()
    return script


def _read_formation(entry: ScriptEntry, script: ServeScript) -> None:
    fields = entry.fields(("id", "name", "description", "version"))
    texts = {name: value.text() for name, value in fields.items()}
    script.formation_id = texts.get("id", script.formation_id)
    script.name = texts.get("name")
    script.description = texts.get("description", "")
    script.version = texts.get("version", script.version)
    if "id" in fields and set(script.formation_id) & set("/?#% "):
        fields["id"].wrong("an id is a part of URLs; it has no spaces and none of / ? # %")


def _read_agents(fields: Mapping[str, ScriptEntry], script: ServeScript) -> None:
    own = {name: fields[name] for name in AGENT_KEYS if name in fields}
    if "agents" not in fields:
        if own:
            script.agents["assistant"] = read_agent(own)
        return
    for entry in own.values():
        entry.wrong("with 'agents', replies belong to one of them")
    for agent_id, entry in fields["agents"].fields().items():
        script.agents[agent_id] = read_agent(entry.fields(AGENT_KEYS))


def _read_triggers(entry: ScriptEntry, script: ServeScript) -> None:
    trial = EmbeddedFormation()
    for name, value in entry.fields().items():
        template = value.text()
        try:
            trial.trigger(name, template)
        except ConfigurationError as error:
            value.wrong(error.message)
        script.triggers[name] = template


def _read_memories(entry: ScriptEntry, script: ServeScript) -> None:
    for item in entry.items():
        fields = item.fields(("user_id", "content", "metadata"), required=("user_id", "content"))
        texts = {name: value.text() for name, value in fields.items() if name != "metadata"}
        metadata = fields["metadata"].value() if "metadata" in fields else {}
        if not isinstance(metadata, dict):
            fields["metadata"].wrong("a mapping is expected here")
            continue
        script.memories.append(SeededMemory(texts.get("user_id", ""), texts.get("content", ""), metadata))


def _read_history(entry: ScriptEntry, script: ServeScript) -> None:
    for item in entry.items():
        fields = item.fields(_HISTORY, required=("user_id", "day", "summary"))
        found: dict[str, Any] = {}
        for name, value in fields.items():
            lists = name in ("decisions", "projects")
            found[name] = [one.text() for one in value.items()] if lists else value.text()
        try:
            date.fromisoformat(found.get("day", "2000-01-01"))
        except ValueError as error:
            fields["day"].wrong(f"a day is expected here, such as 2027-01-15: {error}")
        script.history.append(found)


_READERS: dict[str, Callable[[ScriptEntry, ServeScript], None]] = {
    "formation": _read_formation,
    "triggers": _read_triggers,
    "memories": _read_memories,
    "history": _read_history,
}
