"""Payloads that surely fit, told without marshmallow: most do, and it is slow to load and to run.

Whatever is accepted here the schema accepts too (a test holds that); whatever is not, the schema decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["surely_fits"]


def surely_fits(schema: str, body: object) -> bool:
    """Whether this body fits the SDK's own schema of this name for certain."""
    check = _CHECKS.get(schema)
    return check is not None and type(body) is dict and check(body)


def _chat(body: dict[Any, Any]) -> bool:
    message = body.get("message")
    return isinstance(message, str) and len(message) <= _LONGEST_MESSAGE and _each(body, _CHAT)


def _memory(body: dict[Any, Any]) -> bool:
    return isinstance(body.get("content"), str) and _each(body, _MEMORY)


def _session(body: dict[Any, Any]) -> bool:
    messages = body.get("messages")
    return len(body) == 1 and type(messages) is list and all(map(_message, messages))


def _message(message: object) -> bool:
    return (
        type(message) is dict
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        and isinstance(message.get("timestamp"), str)
        and _each(message, _MESSAGE)
    )


def _each(body: dict[Any, Any], kinds: Mapping[object, tuple[type, ...]]) -> bool:
    return all(name in kinds and (value is None or isinstance(value, kinds[name])) for name, value in body.items())


_TEXT = (str,)
#: In characters (the wire).
_LONGEST_MESSAGE = 100_000
_CHAT: dict[object, tuple[type, ...]] = {
    "message": _TEXT,
    "user_id": _TEXT,
    "agent_id": _TEXT,
    "session_id": _TEXT,
    "group_id": _TEXT,
    "request_id": _TEXT,
    "mode": _TEXT,
    "webhook_url": _TEXT,
    "source_channel": _TEXT,
    "stream": (bool,),
}
_MEMORY: dict[object, tuple[type, ...]] = {
    "content": _TEXT,
    "type": _TEXT,
    "metadata": (dict,),
    "scope_id": _TEXT,
    "source": _TEXT,
    "source_id": _TEXT,
    "timestamp": _TEXT,
    "subject": _TEXT,
}
_MESSAGE: dict[object, tuple[type, ...]] = {
    "role": _TEXT,
    "content": _TEXT,
    "timestamp": _TEXT,
    "agent_id": _TEXT,
    "metadata": (dict,),
}

_CHECKS: dict[str, Callable[[dict[Any, Any]], bool]] = {
    "ChatRequest": _chat,
    "MemoryCreate": _memory,
    "SessionRestore": _session,
}
