"""Drafts of formations, edited file by file."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from muxi_transports.memory.server.answers import go_json, plain
from muxi_transports.memory.server.files import Files
from muxi_transports.memory.server.registry import Hosted, rfc3339
from muxi_transports.memory.world import Answer

__all__ = ["DraftError", "Workspace", "clean_path", "draft_answer", "path_in_draft"]


@dataclass
class Workspace:
    """A draft.

    Args:
        files: what is in it.
        created_at: in seconds since the Unix epoch.
        base_version: the version of the live formation that it was cloned from.
    """

    files: Files
    created_at: float
    base_version: str | None = None


class DraftError(Exception):
    """The error of an action on a draft.

    Args:
        status: the HTTP status.
        code: such as ``DraftNotFound``.
        message: the text for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def draft_answer(outcome: dict[str, object] | DraftError, draft: Workspace | None, live: Hosted | None) -> Answer:
    """An answer about a draft, with what there is of it and beside it."""
    payload: dict[str, object] = {"success": not isinstance(outcome, DraftError)}
    if isinstance(outcome, DraftError):
        payload |= {"error": outcome.code, "message": outcome.message}
    else:
        payload["data"] = outcome
    state: dict[str, object] = {"exists": draft is not None}
    if draft is not None:
        if draft.base_version:
            state["base_version"] = draft.base_version
        state["created_at"] = rfc3339(draft.created_at)
    payload["draft"] = state
    beside = {"version": live.release.config.version, "status": live.status} if live else {}
    payload["live"] = {name: value for name, value in beside.items() if value}
    return plain(outcome.status if isinstance(outcome, DraftError) else 200, go_json(payload) + b"\n")


def clean_path(path: str) -> str:
    """Clean a path of a request.

    Raises:
        DraftError: there is none, or it leads out of the draft.
    """
    if not path:
        raise DraftError(400, "InvalidPath", "Path is required")
    clean = posixpath.normpath(re.sub(r"^/+", "/", path))
    if clean.startswith(".."):
        raise DraftError(400, "InvalidPath", "Path traversal not allowed")
    return clean


def path_in_draft(clean: str) -> str:
    """The place of a clean path in the draft: a leading slash is taken as relative."""
    return clean.lstrip("/") or "."
