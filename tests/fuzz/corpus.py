"""Inputs to start from: the recorded wire where it is there, and some of everything besides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.soak.recorded import recorded_chats, recorded_folder

__all__ = ["recorded_answers", "recorded_streams", "recorded_webhooks"]

#: Longer recordings are left out: what is short is changed faster.
_LONGEST = 3000

Recorded = tuple[int, list[tuple[str, str]], bytes]


@cache
def recorded_answers() -> list[Recorded]:
    """Status, headers and body of answers, each kind of body once."""
    found: dict[str, Recorded] = {}
    for path in sorted(recorded_folder("formation").glob("*.json")):
        response: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("response") or {}
        headers = [(str(name), str(value)) for name, value in response.get("headers") or ()]
        body = str(response.get("body") or "").encode()
        if 0 < len(body) <= _LONGEST:
            shape = f"{response['status']} {sorted(_keys(body))}"
            found.setdefault(shape, (int(response["status"]), headers, body))
    return list(found.values())


def _keys(body: bytes) -> set[str]:
    try:
        payload = json.loads(body)
    except ValueError:
        return set()
    data = payload.get("data") if isinstance(payload, dict) else None
    return set(data) if isinstance(data, dict) else set()


@cache
def recorded_streams() -> list[bytes]:
    """The bodies of chat streams, each shortened to two events of a kind, and to what ends it."""
    found = (_shortened(chat.body) for chat in recorded_chats() if len(chat.body) <= 2 * _LONGEST)
    return list(dict.fromkeys(found))


def _shortened(stream: bytes) -> bytes:
    seen: dict[bytes, int] = {}
    kept = []
    blocks = stream.split(b"\n\n")
    for place, block in enumerate(blocks):
        kind = b" ".join(re.findall(rb'event: \w+|"type":"(?!progress|planning|thinking)\w+"', block)) or block[:1]
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= 2 or place >= len(blocks) - 2:
            kept.append(block)
    return b"\n\n".join(kept)


def recorded_webhooks() -> Iterator[bytes]:
    """The bodies of webhooks."""
    for path in sorted(recorded_folder("webhooks").iterdir()):
        body = _body_of(path)
        if body and len(body) <= _LONGEST:
            yield body


def _body_of(path: Path) -> bytes:
    record = json.loads(path.read_text(encoding="utf-8"))
    body = record.get("body") if isinstance(record, dict) else None
    return body.encode() if isinstance(body, str) else json.dumps(body).encode() if body else b""
