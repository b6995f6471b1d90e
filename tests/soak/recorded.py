"""The recorded chat streams, and by plain reading what is to come of each when it is cut."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["Chat", "read_chat", "recorded_chats", "recorded_folder"]

_RECORDED = Path(__file__).resolve().parents[1] / "wire" / "recorded" / "captures"


@dataclass
class Chat:
    """A chat stream that was recorded to its end."""

    name: str
    body: bytes
    #: Where each frame ends, its empty line included.
    ends: list[int] = field(default_factory=list)
    #: The text when that many frames have arrived.
    texts: list[str] = field(default_factory=lambda: [""])
    #: Where the terminator ends: what has arrived up to there is whole.
    end: int = 0

    @cached_property
    def frames(self) -> list[bytes]:
        """The frames, comments in between included."""
        starts = [0, *self.ends]
        pieces = [self.body[start:end] for start, end in zip(starts, self.ends, strict=False)]
        return [*pieces, self.body[starts[-1] :]] if starts[-1] < len(self.body) else pieces

    @property
    def content(self) -> str:
        """The whole answer."""
        return self.texts[-1]

    def text_at(self, arrived: int) -> str:
        """The text when that many bytes have arrived."""
        return self.texts[bisect_right(self.ends, arrived)]

    def is_whole_at(self, arrived: int) -> bool:
        """Whether that many bytes are all that belongs to the answer."""
        return arrived >= self.end


def recorded_chats() -> list[Chat]:
    """All recorded chats that have a terminator."""
    chats = []
    for path in sorted(recorded_folder("formation").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        response = record.get("response") or {}
        headers = {name.lower(): value for name, value in response.get("headers") or ()}
        if headers.get("content-type", "").startswith("text/event-stream"):
            chat = read_chat(path.stem, str(response.get("body") or "").encode())
            if chat.end:
                chats.append(chat)
    return chats


def recorded_folder(name: str) -> Path:
    """The folder of recordings of that name: ``formation`` or ``webhooks``."""
    return _RECORDED / name


def read_chat(name: str, body: bytes) -> Chat:
    """Read the frames of a stream that has one kind of line end and no odd fields."""
    chat, start, deltas = Chat(name, body), 0, ""
    newline = b"\r\n" if b"\r\n" in body else b"\n"
    while (at := body.find(newline * 2, start)) >= 0 and not chat.end:
        lines = body[start:at].decode().split(newline.decode())
        start = at + 2 * len(newline)
        event = next((line[len("event: ") :] for line in lines if line.startswith("event: ")), "")
        data = next((line[len("data: ") :] for line in lines if line.startswith("data: ")), None)
        token = _token(data)
        if token.get("type") == "content":
            deltas += token["content"]
        text = deltas if not chat.texts[-1].startswith(deltas) or chat.texts[-1] == "" else chat.texts[-1]
        if token.get("type") == "completed" and str(token["content"]).startswith(deltas):
            text = str(token["content"])  # what goes beyond the deltas comes as one more
        chat.ends.append(start)
        chat.texts.append(text)
        if event == "done":
            chat.end = start
    return chat


def _token(data: str | None) -> dict[str, Any]:
    payload = json.loads(data) if data else {}
    token = payload.get("token", {}) if isinstance(payload, dict) else {}
    return token if isinstance(token, dict) else {}
