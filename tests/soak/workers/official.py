"""Calls of each kind through the official SDK (``pip install muxi``), for comparison with this one."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.soak.judge import Outcome
from tests.soak.plan import Plan, marker_of
from tests.soak.workers.results import text_of

__all__ = ["OfficialCaller", "failure_of"]


class OfficialCaller:
    """Makes calls through the official SDK's sync clients, with as many retries as this SDK has."""

    def __init__(self, url: str, folder: Path) -> None:
        from muxi import FormationClient, ServerClient

        options: dict[str, Any] = {"timeout": 8, "max_retries": 3}
        self.formation: Any = FormationClient(url=url, client_key="k", **options)
        self.server: Any = ServerClient(url=url, key_id="k", secret_key="s", **options)

    def call(self, plan: Plan) -> str:
        """Make the call and return its text, as the official documentation shows it."""
        marker, kind = marker_of(plan.number), plan.kind.name
        if kind == "stream":
            return self._text_of_stream(self.formation.chat_stream({"message": marker}, user_id=marker))
        if kind == "removal":
            self.formation.delete_memory(marker, marker)  # returns nothing
            return ""
        result = self._result(kind, marker)
        try:
            return text_of(kind, result)
        except (KeyError, TypeError):
            return repr(result)  # not an answer to this call

    def _result(self, kind: str, marker: str) -> Any:
        if kind == "memories":
            return self.formation.get_memories(marker)
        if kind in ("chat", "chat-own-key"):
            return self.formation.chat({"message": marker, "stream": False}, user_id=marker)
        if kind == "note":
            return self.formation.add_memory(marker, "preference", marker)
        if kind == "upload":
            return self.server.update_formation(marker, {"bundle": "x" * (192 * 1024)})
        raise ValueError(f"no call of the kind {kind!r}")

    @staticmethod
    def _text_of_stream(events: Any) -> str:
        pieces = []
        for event in events:
            if event["event"] == "done":
                break
            token = json.loads(event["data"]).get("token", {})
            if token.get("type") == "content":
                pieces.append(token["content"])
        return "".join(pieces)

    def __enter__(self) -> OfficialCaller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.formation._transport.close()
        self.server.transport.close()


def failure_of(plan: Plan, error: BaseException, began: float, ended: float) -> Outcome:
    """The outcome of a call that raised this."""
    from muxi.errors import MuxiError

    what = "error" if isinstance(error, MuxiError) else "foreign"
    text = f"{type(error).__module__}.{type(error).__name__}: {error}"
    return Outcome(plan.number, what, text, began=began, ended=ended)
