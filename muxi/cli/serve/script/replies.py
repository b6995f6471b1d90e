"""The replies of a script: from what is written to what an agent does."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeAlias

from muxi.cli.serve.script.document import ScriptEntry
from muxi_transports.memory import (
    Agent,
    Approval,
    Artifact,
    Clarification,
    Discontinuity,
    Escalation,
    Failure,
    Later,
    Part,
    Pause,
    Replies,
    Reply,
    Silence,
    Turn,
    Widgets,
)

__all__ = ["AGENT_KEYS", "read_agent"]

AGENT_KEYS = ("replies", "otherwise", "in_order", "then")

_HOLE = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_FACTS = ("message", "user_id", "session_id", "agent_id")
_MakePart: TypeAlias = "Callable[[Turn], Part]"


def read_agent(fields: Mapping[str, ScriptEntry]) -> Replies:
    """What an agent replies.

    Args:
        fields: ``replies`` and ``otherwise``; or ``in_order`` and ``then``.
    """
    if "in_order" in fields:
        for name in ("replies", "otherwise"):
            if name in fields:
                fields[name].wrong("an agent has replies by message or in order; here are both")
        return _in_order(fields["in_order"], fields.get("then"))
    if "then" in fields:
        fields["then"].wrong("this is what follows 'in_order', which is not here")
    script: dict[object, Agent] = {}
    for entry in fields["replies"].items() if "replies" in fields else ():
        rule = entry.fields(("message", "pattern", "reply"), required=("reply",))
        cue, groups = _cue(entry, rule)
        line = _reply(rule["reply"], groups) if "reply" in rule else None
        if cue in script:
            entry.wrong("there is a reply to this already")
        if cue is not None and line is not None:
            script[cue] = line
    if "otherwise" in fields:
        return Replies(script, otherwise=_reply(fields["otherwise"]))
    return Replies(script)


def _in_order(entry: ScriptEntry, then: ScriptEntry | None) -> Replies:
    lines = [_reply(item) for item in entry.items()]
    if not lines and entry.kind == "sequence":
        entry.wrong("there is no reply here")
    return Replies.in_order(*lines, then=_reply(then) if then else None)


def _cue(entry: ScriptEntry, rule: Mapping[str, ScriptEntry]) -> tuple[str | re.Pattern[str] | None, Collection[str]]:
    """What is replied to, and the groups of a pattern."""
    if ("message" in rule) == ("pattern" in rule):
        if entry.kind == "mapping":
            entry.wrong("either 'message' (a whole text) or 'pattern' (a regular expression) is expected here")
        return None, ()
    if "message" in rule:
        return rule["message"].text(), ()
    try:
        pattern = re.compile(rule["pattern"].text())
    except re.error as error:
        rule["pattern"].wrong(f"this is no regular expression: {error}")
        return None, ()
    return pattern, {*pattern.groupindex, *map(str, range(1, pattern.groups + 1))}


def _reply(entry: ScriptEntry, groups: Collection[str] = ()) -> Agent:
    """A reply: a text, one part, several in a list, or one of those that make up a whole reply."""
    if entry.is_text:
        text = _text(entry, groups)
        return lambda turn: text(turn)
    if entry.kind == "sequence":
        parts = [_part(item, groups) for item in entry.items()]
        return lambda turn: (part(turn) for part in parts)
    name, value = _only(entry, (*_PARTS, *_WHOLES))
    if name is None or value is None:
        return lambda turn: ""
    if name in _WHOLES:
        return _WHOLES[name](value, groups)
    part = _PARTS[name](value, groups)
    return lambda turn: part(turn)


def _part(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    if entry.is_text:
        return _text(entry, groups)
    name, value = _only(entry, tuple(_PARTS))
    return (lambda turn: "") if name is None or value is None else _PARTS[name](value, groups)


def _only(entry: ScriptEntry, known: Collection[str]) -> tuple[str | None, ScriptEntry | None]:
    """The one thing that a mapping says, and its value."""
    if entry.kind != "mapping":
        entry.wrong(f"a text is expected here, or one of {', '.join(known)}")
        return None, None
    fields = entry.fields(known)
    if len(fields) > 1:
        entry.wrong(f"one thing is expected here, not {' and '.join(fields)}; several go into a list, with a '-' each")
    return next(iter(fields.items())) if len(fields) == 1 else (None, None)


def _text(entry: ScriptEntry, groups: Collection[str]) -> Callable[[Turn], str]:
    """A text whose holes are filled from the turn: ``${{ message }}``, ``${{ groups.city }}``."""
    text = entry.text()
    for name in _HOLE.findall(text):
        if name not in _FACTS and (not name.startswith("groups.") or name.removeprefix("groups.") not in groups):
            there = [*_FACTS, *(f"groups.{group}" for group in groups)]
            entry.wrong(f"there is no {name!r} to fill in; there is {', '.join(sorted(there))}")

    def filled(turn: Turn) -> str:
        def value(hole: re.Match[str]) -> str:
            name = hole[1]
            if name.startswith("groups."):
                return turn.groups.get(name.removeprefix("groups."), "")
            return str(getattr(turn, name))

        return _HOLE.sub(value, text)

    return filled


def _pause(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    seconds = entry.number()
    return lambda turn: Pause(seconds)


def _error(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    if entry.is_text:
        message = _text(entry, groups)
        return lambda turn: Failure(message(turn))
    fields = entry.fields(("message", "type", "early"), required=("message",))
    text = _text(fields["message"], groups) if "message" in fields else _nothing
    kind = fields["type"].text() if "type" in fields else "RuntimeError"
    early = fields["early"].flag() if "early" in fields else False
    return lambda turn: Failure(text(turn), early=early, type=kind)


def _widgets(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    widgets: list[Mapping[str, object]] = []
    for item in entry.items():
        item.fields(required=("type",))
        if isinstance(value := item.value(), dict):
            widgets.append(value)
    return lambda turn: Widgets(tuple(widgets))


def _artifact(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    fields = entry.fields(("filename", "content", "base64", "content_type"), required=("filename",))
    if entry.kind == "mapping" and ("content" in fields) == ("base64" in fields):
        entry.wrong("either 'content' (a text) or 'base64' is expected here")
    name = fields["filename"].text() if "filename" in fields else ""
    kind = fields["content_type"].text() if "content_type" in fields else ""
    if "base64" in fields:
        try:
            data = base64.b64decode("".join(fields["base64"].text().split()), validate=True)
        except (binascii.Error, ValueError) as error:
            fields["base64"].wrong(f"this is no base64: {error}")
            data = b""
        return lambda turn: Artifact(name, data, kind)
    text = _text(fields["content"], groups) if "content" in fields else _nothing
    return lambda turn: Artifact(name, text(turn), kind)


def _clarification(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    if entry.is_text:
        asked = _text(entry, groups)
        return lambda turn: Clarification(asked(turn))
    fields = entry.fields(("question", "options"), required=("question",))
    question = _text(fields["question"], groups) if "question" in fields else _nothing
    options = tuple(item.text() for item in fields["options"].items()) if "options" in fields else ()
    return lambda turn: Clarification(question(turn), options)


def _approval(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    plan = _text(entry, groups)
    return lambda turn: Approval(plan(turn))


def _silence(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    content = _text(entry, groups)
    return lambda turn: Silence(content(turn))


def _discontinuity(entry: ScriptEntry, groups: Collection[str]) -> _MakePart:
    fields = entry.fields(("text", "after"), required=("text",))
    text = _text(fields["text"], groups) if "text" in fields else _nothing
    after = int(fields["after"].number()) if "after" in fields else 2
    return lambda turn: Discontinuity(text(turn), after)


def _later(entry: ScriptEntry, groups: Collection[str]) -> Agent:
    reply, seconds = _delayed(entry, groups)
    return lambda turn: Later(reply(turn), seconds)


def _escalation(entry: ScriptEntry, groups: Collection[str]) -> Agent:
    reply, seconds = _delayed(entry, groups)
    return lambda turn: Escalation(reply(turn), seconds)


def _delayed(entry: ScriptEntry, groups: Collection[str]) -> tuple[Callable[[Turn], Reply], float]:
    fields = entry.fields(("reply", "seconds"), required=("reply",))
    reply: Agent = _reply(fields["reply"], groups) if "reply" in fields else _nothing
    return reply, fields["seconds"].number() if "seconds" in fields else 0.0


def _several(entry: ScriptEntry, groups: Collection[str]) -> Agent:
    lines: Iterable[Agent] = [_reply(item, groups) for item in entry.items()]
    return Replies.in_order(*lines)


def _nothing(turn: Turn) -> str:
    """What stands for a text that is missing; the mistake has been noted."""
    return ""


_PARTS: dict[str, Callable[[ScriptEntry, Collection[str]], _MakePart]] = {
    "text": _text,
    "pause": _pause,
    "error": _error,
    "widgets": _widgets,
    "artifact": _artifact,
    "clarification": _clarification,
    "approval": _approval,
    "silence": _silence,
    "discontinuity": _discontinuity,
}
#: What a reply can only be as a whole.
_WHOLES: dict[str, Callable[[ScriptEntry, Collection[str]], Agent]] = {
    "later": _later,
    "escalation": _escalation,
    "in_order": _several,
}
