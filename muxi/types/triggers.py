"""Triggers and standard operating procedures."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["FiredTrigger", "Sop", "SopList", "SopSummary", "Trigger", "TriggerList"]


class TriggerList(TypedDict):
    """The names of all triggers."""

    formation_id: str
    triggers: list[str]
    count: int


class Trigger(TypedDict):
    """One trigger: its template, and the fields that it takes (None where it takes none)."""

    name: str
    content: str
    data_fields: list[str] | None


class _FiredTriggerAlways(TypedDict):
    #: completed, or processing where it runs in the background
    status: str


class FiredTrigger(_FiredTriggerAlways, total=False):
    """The result of a trigger; ``content`` is the answer, once there is one.

    ``fired["request_id"]`` is the id to wait for (it comes from the envelope).
    """

    content: str
    request_id: str


class SopSummary(TypedDict):
    """A procedure in a list."""

    name: str
    title: str
    type: str
    steps: int
    agents_used: list[str] | None


class SopList(TypedDict):
    """The standard operating procedures of a formation."""

    sops: list[SopSummary]
    count: int


class Sop(TypedDict):
    """One procedure; ``content`` is Markdown."""

    name: str
    title: str
    type: str
    content: str
    metadata: dict[str, Any]
    references: list[Any] | None
    agents_used: list[str] | None
    steps: int
