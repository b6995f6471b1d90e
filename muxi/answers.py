"""Answers other than texts: work that continues in the background, and data that a schema loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["Loads", "PendingTurn", "pending"]

T_co = TypeVar("T_co", covariant=True)


class Loads(Protocol[T_co]):
    """A schema: marshmallow's, or any object that loads plain data in the same way."""

    def load(self, data: Any) -> T_co:
        """Return the object made of plain data; raises ``marshmallow.ValidationError`` for invalid data."""
        ...


@dataclass(frozen=True)
class PendingTurn:
    """Work that continues in the background; :meth:`FormationClient.wait_for_request` waits for its end."""

    #: Id of the request, to wait for it, inspect it or cancel it.
    request_id: str
    #: The formation's interim message for the user.
    message: str
    #: Id of the workflow, if the turn has become one.
    workflow_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    #: The formation's way of reporting the end: ``webhook``, ``polling`` or ``channel``.
    delivery: str | None = None
    #: Whether the turn has failed and is being retried.
    escalated: bool = False


def pending(answer: Mapping[str, object]) -> PendingTurn | None:
    """Return the pending work that an answer stands for, if any.

    ::

        answer = formation.chat("Compare our offers", user_id="ada")
        if turn := muxi.pending(answer):
            status = formation.wait_for_request(turn.request_id, "ada")
            print(status["result"])

    A turn goes to the background when it becomes a workflow that takes longer than the formation's
    ``async.threshold_seconds``, and when it fails and the formation tries again (``retry_async``). One that waits
    for the user (a question, an approval) is not pending: it is an answer, and the next message continues it.

    Args:
        answer: the result of ``chat()``, ``audio_chat()`` or a trigger, or the ``result()`` of a stream.

    Returns:
        The pending work; None if the answer is final.
    """
    inner = answer.get("message")
    message = inner if isinstance(inner, Mapping) else answer
    metadata = message.get("metadata")
    marks: Mapping[str, object] = metadata if isinstance(metadata, Mapping) else {}
    escalated = marks.get("escalated") is True or marks.get("status") == "escalated"
    if not escalated and message.get("status") != "processing":
        return None
    places = (marks, message, answer)
    return PendingTurn(
        request_id=_first("request_id", places) or "",
        message=_first("content", (message,)) or _first("message", (message,)) or "",
        workflow_id=_first("workflow_id", places),
        user_id=_first("user_id", (answer, marks)),
        session_id=_first("session_id", (answer, marks)),
        delivery=_first("delivery", places),
        escalated=escalated,
    )


def _first(name: str, places: tuple[Mapping[str, object], ...]) -> str | None:
    for place in places:
        value = place.get(name)
        if isinstance(value, str) and value:
            return value
    return None
