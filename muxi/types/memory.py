"""Memories and the buffers of conversations."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = [
    "BufferCleared",
    "BufferStats",
    "CreatedMemory",
    "DeletedMemory",
    "Memory",
    "MemoryBuffer",
    "MemoryBuffers",
    "MemoryConfig",
    "MemoryContent",
    "MemoryPage",
    "UserBuffer",
]


class Memory(TypedDict):
    """A memory. ``created_at`` is ISO 8601 in UTC without a zone here."""

    id: str
    content: str
    created_at: str
    metadata: dict[str, Any]
    scope: str
    scope_id: str | None


class MemoryPage(TypedDict):
    """One page of memories, the latest first. ``count`` is the length of the page, there is no total."""

    memories: list[Memory]
    count: int


class MemoryContent(TypedDict):
    """A stored memory and its kind."""

    type: str
    detail: str


class CreatedMemory(TypedDict):
    """A memory just stored. Other than in a list, ``content`` is an object and ``created_at`` ends in Z."""

    id: str
    content: MemoryContent
    created_at: str
    metadata: dict[str, Any]
    scope: str
    scope_id: str | None


class DeletedMemory(TypedDict):
    """The id of a deleted memory."""

    deleted: str
    user_id: str


class UserBuffer(TypedDict):
    """The amount of a user's conversations in the buffer; the size in KiB."""

    user_id: str
    total_messages: int
    sessions: list[Any]
    buffer_size_kb: float


class _BufferClearedAlways(TypedDict):
    message: str


class BufferCleared(_BufferClearedAlways, total=False):
    """The part of the buffer that was cleared: a user's, one session of it, or everything."""

    user_id: str | None
    session_id: str
    messages_cleared: int
    sessions_cleared: int


class BufferStats(TypedDict):
    """The buffers of the whole formation; the size in KiB."""

    total_entries: int
    total_users: int
    total_sessions: int
    buffer_size_kb: float
    max_size: int
    utilization: float


class MemoryBuffer(TypedDict):
    """One buffer, with how many values each of its namespaces has."""

    total_entries: int
    max_size: int
    utilization: float
    kv_namespaces: dict[str, int]


class MemoryBuffers(TypedDict):
    """The formation's buffers, in the older form."""

    buffers: list[MemoryBuffer]


class MemoryConfig(TypedDict, total=False):
    """The memory settings of a formation. Nothing is masked: ``persistent`` may contain a database's password."""

    buffer: dict[str, Any]
    persistent: dict[str, Any]
    working: dict[str, Any]
    lint: dict[str, Any]
    distillery: dict[str, Any]
