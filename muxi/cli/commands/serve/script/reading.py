"""A whole script: the formation, its agents, its triggers, and its initial memories and history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError, fields, post_load, validates_schema

from muxi.cli.commands.serve.script.document import MappingNode, Problems, ScriptError, TreeNode, parse_tree
from muxi.cli.commands.serve.script.fields import Data, Day, Items, Named, ScriptSchema, Text
from muxi.cli.commands.serve.script.replies import AgentFields, AgentSchema, replies_of
from muxi.errors import ConfigurationError
from muxi_transports.memory import EmbeddedFormation, Replies

if TYPE_CHECKING:
    from marshmallow.fields import Field

__all__ = ["SeededMemory", "ServeScript", "read_script"]


@dataclass(frozen=True)
class SeededMemory:
    """A memory that exists from the start."""

    user_id: str
    content: str
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass
class ServeScript:
    """A script that has been read."""

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
        ScriptError: the file cannot be read, or has errors; the message lists all of them with their lines.
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
    tree = parse_tree(text, problems)
    script = ServeScript() if tree is None else _load(tree, problems)
    problems.check()
    return script


def _load(tree: TreeNode, problems: Problems) -> ServeScript:
    try:
        script: ServeScript = DocumentSchema().load(tree)  # type: ignore[arg-type]  # the schema refuses what is no mapping
    except ValidationError as error:
        problems.add_messages(error.messages, tree)
        return ServeScript()
    return script


def _check_id(formation_id: str) -> None:
    if set(formation_id) & set("/?#% "):
        raise ValidationError("an id is a part of URLs; it has no spaces and none of / ? # %")


def _check_triggers(triggers: Mapping[str, str]) -> None:
    trial = EmbeddedFormation()
    errors: dict[str | int, object] = {}
    for name, template in triggers.items():
        try:
            trial.trigger(name, template)
        except ConfigurationError as error:
            errors[name] = [error.message]
    if errors:
        raise ValidationError(errors)


class FormationSchema(ScriptSchema):
    """The formation."""

    id: Field[Any] = Text(validate=_check_id)
    name: Field[Any] = Text()
    description: Field[Any] = Text()
    version: Field[Any] = Text()


class MemorySchema(ScriptSchema):
    """A memory that exists from the start."""

    user_id: Field[Any] = Text(required=True)
    content: Field[Any] = Text(required=True)
    metadata: Field[Any] = Data()

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> SeededMemory:
        """Make the memory."""
        return SeededMemory(**data)


class HistorySchema(ScriptSchema):
    """An entry of the diary."""

    user_id: Field[Any] = Text(required=True)
    day: Field[Any] = Day(required=True)
    summary: Field[Any] = Text(required=True)
    decisions: Field[Any] = Items(Text())
    projects: Field[Any] = Items(Text())
    # marshmallow 3 keeps its own context in an attribute of this name, so the field has another.
    context_: Field[Any] = Text(data_key="context", attribute="context")


class DocumentSchema(AgentFields):
    """The whole document: several agents, or the keys of one beside the rest."""

    formation: Field[Any] = fields.Nested(FormationSchema)
    agents: Field[Any] = Named(fields.Nested(AgentSchema))
    triggers: Field[Any] = Named(Text(), validate=_check_triggers)
    memories: Field[Any] = Items(fields.Nested(MemorySchema))
    history: Field[Any] = Items(fields.Nested(HistorySchema))

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def check_agents(self, data: object, original: object, **_: object) -> None:
        """Refuse replies beside ``agents``."""
        if isinstance(original, MappingNode) and "agents" in original:
            text = "with 'agents', replies belong to one of them"
            if own := [name for name in AgentFields().fields if name in original]:
                raise ValidationError({name: [text] for name in own})

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> ServeScript:
        """Make the script."""
        formation = dict(data.get("formation", {}))
        if "id" in formation:
            formation["formation_id"] = formation.pop("id")
        agents = dict(data.get("agents", {}))
        if any(name in data for name in AgentFields().fields):
            agents["assistant"] = replies_of(data)
        more = {name: data[name] for name in ("triggers", "memories", "history") if name in data}
        return ServeScript(**formation, agents=agents, **more)
