"""The schemas of a script's replies: each loads what is written into an agent."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from marshmallow import ValidationError, fields, post_load, validates_schema

from muxi.cli.commands.serve.script.document import MappingNode, ScalarNode, SequenceNode
from muxi.cli.commands.serve.script.fields import Data, Flag, Items, Number, ScriptSchema, Text
from muxi.cli.commands.serve.script.recipes import FACTS, PartsRecipe, Recipe, Template
from muxi_transports.memory import (
    Agent,
    Approval,
    Discontinuity,
    Escalation,
    Failure,
    Later,
    NewArtifact,
    Part,
    Pause,
    Question,
    Replies,
    Reply,
    Silence,
    Widgets,
)

if TYPE_CHECKING:
    from marshmallow.fields import Field

__all__ = ["AgentFields", "AgentSchema", "ReplyField", "replies_of"]

_Parent: TypeAlias = "Mapping[str, Any] | None"


def _groups(field: Field[Any]) -> frozenset[str]:
    """The pattern's groups that a field of a schema may refer to."""
    return field.root.groups if isinstance(field.root, ScriptSchema) else frozenset()


class TemplateField(Text):
    """A text whose placeholders exist."""

    def _deserialize(self, value: object, attr: str | None, data: _Parent, **_: Any) -> Any:
        template = Template(super()._deserialize(value, attr, data))
        known = [*FACTS, *(f"groups.{group}" for group in _groups(self))]
        if unknown := [name for name in template.names if name not in known]:
            raise ValidationError(f"there is no {unknown[0]!r} to fill in; there is {', '.join(sorted(known))}")
        return template


class Base64(Text):
    """Bytes in base64; white space does not count."""

    def _deserialize(self, value: object, attr: str | None, data: _Parent, **_: Any) -> Any:
        text = super()._deserialize(value, attr, data)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValidationError(f"this is no base64: {error}") from error


class ReplyField(fields.Raw):
    """A reply: a text, a list of parts, or a mapping of one kind of reply to its fields.

    Args:
        part: whether it is one part of a list, which excludes lists and kinds that are a whole reply.
    """

    def __init__(self, *, part: bool = False, required: bool = False) -> None:
        super().__init__(required=required)
        self._is_part = part

    def _deserialize(self, value: object, attr: str | None, data: _Parent, **_: Any) -> Agent:
        groups = _groups(self)
        if isinstance(data, MappingNode) and "pattern" in data:
            groups = frozenset(_group_names(str(data["pattern"])))
        return self._load(value, groups)

    def _load(self, value: object, groups: frozenset[str]) -> Agent:
        if isinstance(value, ScalarNode) and not value.is_null:
            return _load_kind("text", value, groups)
        if isinstance(value, SequenceNode) and not self._is_part:
            return _load_parts(value, groups)
        kinds = _PARTS if self._is_part else {**_PARTS, **_WHOLES}
        if not isinstance(value, MappingNode):
            raise ValidationError(f"a text is expected here, or one of {', '.join(kinds)}")
        if unknown := [name for name in value if name not in kinds]:
            raise ValidationError({unknown[0]: [f"there is no such key; there are {', '.join(kinds)}"]})
        if len(value) != 1:
            several = f"not {' and '.join(value)}" if value else "not an empty mapping"
            raise ValidationError(f"one thing is expected here, {several}; several go into a list, with a '-' each")
        ((name, content),) = value.items()
        try:
            return _load_kind(name, content, groups)
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from error


def _load_parts(items: SequenceNode, groups: frozenset[str]) -> PartsRecipe:
    parts: list[Any] = []
    errors: dict[str | int, object] = {}
    for index, item in enumerate(items):
        try:
            parts.append(ReplyField(part=True)._load(item, groups))
        except ValidationError as error:
            errors[index] = error.messages
    if errors:
        raise ValidationError(errors)
    return PartsRecipe(parts)


def _load_kind(name: str, value: object, groups: frozenset[str]) -> Agent:
    schema = (_PARTS | _WHOLES)[name](groups=groups)
    if schema.shorthand is None or (schema.fields.keys() != {schema.shorthand} and isinstance(value, MappingNode)):
        loaded: Any = schema.load(value)  # type: ignore[arg-type]  # the schema refuses what is no mapping
        return cast(Agent, loaded)
    try:
        shorthand: Any = schema.load(_wrap_shorthand(schema.shorthand, value))
    except ValidationError as error:
        messages = error.messages
        raise ValidationError(messages[schema.shorthand] if isinstance(messages, dict) else messages) from error
    return cast(Agent, shorthand)


def _wrap_shorthand(name: str, value: Any) -> MappingNode:
    wrapped = MappingNode(value.node)
    wrapped[name] = value
    return wrapped


class KindSchema(ScriptSchema):
    """One kind of reply; its fields are the arguments of what it makes."""

    #: The callable that the fields are arguments of.
    kind: ClassVar[Any]
    #: The field that a bare value stands for. If it is the only field, there is no other form.
    shorthand: ClassVar[str | None] = None

    @post_load
    def make(self, data: dict[str, object], **_: object) -> Agent:
        """Make the agent that gives this reply."""
        return Recipe(type(self).kind, data)


def _as_text_part(text: str) -> Part:
    return text


class SpokenSchema(KindSchema):
    """``text: …``."""

    kind: ClassVar[Any] = staticmethod(_as_text_part)
    shorthand: ClassVar[str | None] = "text"
    text: Field[Any] = TemplateField()


class PauseSchema(KindSchema):
    """``pause: 0.5``."""

    kind: ClassVar[Any] = Pause
    shorthand: ClassVar[str | None] = "seconds"
    seconds: Field[Any] = Number()


class FailureSchema(KindSchema):
    """``error: …`` or ``error: {message, type, early}``."""

    kind: ClassVar[Any] = Failure
    shorthand: ClassVar[str | None] = "message"
    message: Field[Any] = TemplateField(required=True)
    type: Field[Any] = Text()
    early: Field[Any] = Flag()


class WidgetsSchema(KindSchema):
    """``widgets: [{type: …}]``."""

    kind: ClassVar[Any] = Widgets
    shorthand: ClassVar[str | None] = "widgets"
    widgets: Field[Any] = Items(Data(needs="type"))


class ArtifactSchema(KindSchema):
    """``artifact: {filename, content}``, or ``base64`` in place of ``content``."""

    kind: ClassVar[Any] = NewArtifact
    filename: Field[Any] = Text(required=True)
    content: Field[Any] = TemplateField()
    base64: Field[Any] = Base64()
    content_type: Field[Any] = Text()

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def check_content(self, data: object, original: object, **_: object) -> None:
        """Require one of the two contents."""
        if isinstance(original, MappingNode) and ("content" in original) == ("base64" in original):
            raise ValidationError("either 'content' (a text) or 'base64' is expected here")

    @post_load
    def make(self, data: dict[str, object], **_: object) -> Agent:
        """Make the agent that makes this file."""
        content = data.pop("base64", None)
        return Recipe(NewArtifact, data if content is None else {**data, "content": content})


class ClarificationSchema(KindSchema):
    """``clarification: …`` or ``clarification: {question, options}``."""

    kind: ClassVar[Any] = Question
    shorthand: ClassVar[str | None] = "question"
    question: Field[Any] = TemplateField(required=True)
    options: Field[Any] = Items(Text())


class ApprovalSchema(KindSchema):
    """``approval: …``."""

    kind: ClassVar[Any] = Approval
    shorthand: ClassVar[str | None] = "plan"
    plan: Field[Any] = TemplateField()


class SilenceSchema(KindSchema):
    """``silence: …``."""

    kind: ClassVar[Any] = Silence
    shorthand: ClassVar[str | None] = "content"
    content: Field[Any] = TemplateField()


class DiscontinuitySchema(KindSchema):
    """``discontinuity: {text, after}``."""

    kind: ClassVar[Any] = Discontinuity
    text: Field[Any] = TemplateField(required=True)
    after: Field[Any] = Number()

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Agent:
        """Make the agent whose stream breaks off."""
        return Recipe(Discontinuity, {**data, "after": int(data.get("after", 2))})


class DelayedSchema(KindSchema):
    """A reply that comes later."""

    reply: Field[Any] = ReplyField(required=True)
    seconds: Field[Any] = Number()


class LaterSchema(DelayedSchema):
    """``later: {seconds, reply}``."""

    kind: ClassVar[Any] = Later


class EscalationSchema(DelayedSchema):
    """``escalation: {seconds, reply}``."""

    kind: ClassVar[Any] = Escalation


def _check_any(replies: list[object]) -> None:
    if not replies:
        raise ValidationError("there is no reply here")


class InOrderSchema(KindSchema):
    """``in_order: […]``."""

    shorthand: ClassVar[str | None] = "replies"
    replies: Field[Any] = Items(ReplyField(), validate=_check_any)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Agent:
        """Make the agent that gives one reply after the other."""
        return Replies.in_order(*data["replies"])


_PARTS: dict[str, type[KindSchema]] = {
    "text": SpokenSchema,
    "pause": PauseSchema,
    "error": FailureSchema,
    "widgets": WidgetsSchema,
    "artifact": ArtifactSchema,
    "clarification": ClarificationSchema,
    "approval": ApprovalSchema,
    "silence": SilenceSchema,
    "discontinuity": DiscontinuitySchema,
}
#: Kinds that are a whole reply.
_WHOLES: dict[str, type[KindSchema]] = {
    "later": LaterSchema,
    "escalation": EscalationSchema,
    "in_order": InOrderSchema,
}


class PatternField(Text):
    """A regular expression."""

    def _deserialize(self, value: object, attr: str | None, data: _Parent, **_: Any) -> Any:
        try:
            return re.compile(super()._deserialize(value, attr, data))
        except re.error as error:
            raise ValidationError(f"this is no regular expression: {error}") from error


def _group_names(pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return []
    return [*compiled.groupindex, *map(str, range(1, compiled.groups + 1))]


class RuleSchema(ScriptSchema):
    """One reply and the messages that it answers: ``{message, reply}`` or ``{pattern, reply}``."""

    message: Field[Any] = Text()
    pattern: Field[Any] = PatternField()
    reply: Field[Any] = ReplyField(required=True)

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def check_cue(self, data: object, original: object, **_: object) -> None:
        """Require one of the two."""
        if isinstance(original, MappingNode) and ("message" in original) == ("pattern" in original):
            raise ValidationError("either 'message' (a whole text) or 'pattern' (a regular expression) belongs here")


class AgentFields(ScriptSchema):
    """The keys of an agent: ``replies`` and ``otherwise``, or ``in_order`` and ``then``."""

    replies: Field[Any] = Items(fields.Nested(RuleSchema))
    otherwise: Field[Any] = ReplyField()
    in_order: Field[Any] = Items(ReplyField(), validate=_check_any)
    then: Field[Any] = ReplyField()

    @validates_schema
    def check_order(self, data: Mapping[str, Any], **_: object) -> None:
        """Refuse replies by message beside replies in order, and two replies to one message."""
        if "in_order" in data:
            both = "an agent has replies by message or in order; here are both"
            if mixed := [name for name in ("replies", "otherwise") if name in data]:
                raise ValidationError({name: [both] for name in mixed})
        elif "then" in data:
            raise ValidationError({"then": ["this is what follows 'in_order', which is not here"]})
        cues: set[object] = set()
        for index, rule in enumerate(data.get("replies", ())):
            cue = rule.get("message", rule.get("pattern"))
            if cue in cues:
                raise ValidationError({"replies": {index: ["there is a reply to this already"]}})
            cues.add(cue)


class AgentSchema(AgentFields):
    """One of several agents."""

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Replies:
        """Make the agent."""
        return replies_of(data)


def replies_of(data: Mapping[str, Any]) -> Replies:
    """Make an agent from its loaded keys."""
    if "in_order" in data:
        return Replies.in_order(*data["in_order"], then=data.get("then"))
    rules: dict[object, Reply | Agent] = {
        rule.get("message", rule.get("pattern")): rule["reply"] for rule in data.get("replies", ())
    }
    return Replies(rules, otherwise=data["otherwise"]) if "otherwise" in data else Replies(rules)
