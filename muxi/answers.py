"""Answers other than text: work in the background, and data for a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from muxi.records import Record

__all__ = ["Loads", "Model", "PendingTurn", "pending"]

T_co = TypeVar("T_co", covariant=True)


class Loads(Protocol[T_co]):
    """A schema: marshmallow's, or any object with the same ``load`` method."""

    def load(self, data: Any) -> T_co:
        """Return the object for plain data; raise ``marshmallow.ValidationError`` if it is invalid."""
        ...


class Model(Protocol[T_co]):
    """A model class: pydantic's, or any object with the same ``model_validate`` method."""

    def model_validate(self, obj: Any, /) -> T_co:
        """Return the object for plain data; raise ``pydantic.ValidationError``, a ``ValueError``, if it is invalid."""
        ...


class PendingTurn(Record, frozen=True):
    """Work in the background; :meth:`FormationClient.wait_for_request` waits for its end."""

    #: The id to wait for, to look at and to cancel.
    request_id: str
    #: What the formation says meanwhile, for the user to read.
    message: str
    #: The workflow that the turn has become, where it has become one.
    workflow_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    #: How the formation itself will report the end: ``webhook``, ``polling`` or ``channel``.
    delivery: str | None = None
    #: Whether the turn has failed and is being tried again in another way.
    escalated: bool = False


def pending(answer: Mapping[str, object]) -> PendingTurn | None:
    """Return the work in the background that an answer stands for, or None.

    ::

        answer = formation.chat("Compare our offers", user_id="ada")
        if turn := muxi.pending(answer):
            status = formation.wait_for_request(turn.request_id, "ada")
            print(status["result"])

    A turn goes to the background when it becomes a workflow that takes longer than the formation's
    ``async.threshold_seconds``, and when it fails and the formation tries again (``retry_async``). One that waits
    for the user (a question, an approval) is not pending: it is an answer, and the next message continues it.

    Args:
        answer: what ``chat()``, ``audio_chat()`` or a trigger returned, or the ``result()`` of a stream.

    Returns:
        The work that goes on; None where the answer is the answer.
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
