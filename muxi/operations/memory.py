"""Memories, and the buffers of conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from muxi.call import Call, Item, Key, Pages, Procedure, send
from muxi.client.endpoints import operation, pages, procedure
from muxi.errors import ServerError
from muxi.operations.fields import given
from muxi.operations.limits import Choice, Range
from muxi.result import Meta, Result

__all__ = ["MemoryOperations"]

if TYPE_CHECKING:
    # A call with ``source`` has another result, which ``operation`` has no types for.
    from muxi.operations.adding import AddMemoryEndpoint as _add_memory_operation  # noqa: N813  a decorator
    from muxi.types import (
        BufferCleared,
        BufferStats,
        CreatedMemory,
        DeletedMemory,
        IngestedMemory,
        Memory,
        MemoryBuffers,
        MemoryConfig,
        MemoryPage,
        UserBuffer,
    )
else:
    _add_memory_operation = operation

#: The most memories that one page can have.
MAX_PAGE = 100

SCOPES = ("user", "group", "formation")


class MemoryOperations:
    """Methods about memories and buffers. Either key will do unless stated otherwise."""

    @operation
    def get_memories(
        self, user_id: str, limit: int | None = None, *, offset: int | None = None, scopes: str | None = None
    ) -> Call[MemoryPage]:
        """List the memories of a user, the latest first (``GET /memories``).

        Args:
            user_id: whose memories.
            limit: how many at the most, 1 to 100; the runtime's default is 10.
            offset: how many to leave out at the beginning.
            scopes: a comma-separated choice of ``user``, ``group``, ``formation``.

        Raises:
            ValidationError: a parameter is out of range; nothing has been sent.
            ServerError: the formation's store cannot list memories (SQLite, today's default).
        """
        return Call.get(
            "/memories",
            query={"limit": limit, "offset": offset, "scopes": scopes},
            limits={"limit": Range(1, MAX_PAGE), "offset": Range(0), "scopes": Choice(SCOPES, several=True)},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="MemoryPage",
        )

    @pages
    def iter_memories(self, user_id: str, *, scopes: str | None = None) -> Pages[Memory]:
        """Iterate over all memories of a user, the latest first, a page at a time.

        None comes twice, also where new ones are stored meanwhile; those stored after the start may be left out.

        Args:
            user_id: whose memories.
            scopes: as for :meth:`get_memories`.
        """
        seen: set[str] = set()
        offset = 0
        while True:
            page = yield from send(
                MemoryOperations.get_memories.call(user_id, limit=MAX_PAGE, offset=offset, scopes=scopes)
            )
            for memory in page["memories"]:
                if memory["id"] not in seen:
                    seen.add(memory["id"])
                    yield Item(memory)
            if len(page["memories"]) < MAX_PAGE:
                return
            offset += MAX_PAGE

    @_add_memory_operation
    def add_memory(
        self,
        content: Any = None,
        mem_type: str | None = None,
        detail: str | None = None,
        *,
        user_id: str = "",
        metadata: Mapping[str, Any] | None = None,
        scope: str | None = None,
        scope_id: str | None = None,
        source: str | None = None,
        source_id: str | None = None,
        timestamp: str | None = None,
        subject: str | None = None,
    ) -> Call[CreatedMemory | IngestedMemory]:
        """Add a memory (``POST /memories``).

        Without ``source`` it is written at once; with it, it is taken in by way of the background, and the answer is
        that of :meth:`ingest_memory`. Sending it twice stores it twice, so it is never repeated by itself.

        Args:
            content: what to remember: a text, or with ``source`` anything that JSON can hold.
            mem_type: its kind, such as ``preference``.
            detail: what to remember, in the older form with ``mem_type``.
            user_id: whose memory.
            metadata: whatever is to be kept beside it.
            scope: ``user`` (the default), ``group`` or ``formation``.
            scope_id: which group.
            source: where it comes from, such as ``gmail``.
            source_id: its id there; a known one is not stored again.
            timestamp: when it happened, ISO 8601.
            subject: the person or thing that it is about.

        Raises:
            ValidationError: there is nothing to remember, or a field does not fit; nothing has been sent.
            RateLimitError: too many ingestions are under way.
            ServerError: the formation's store cannot write memories (SQLite, today's default).
        """
        if not user_id and isinstance(content, str) and mem_type is not None and detail is not None:
            # The official SDK's order: add_memory(user_id, mem_type, detail).
            user_id, content = content, None
        body = given(
            content=content,
            type=mem_type,
            detail=detail,
            metadata=metadata,
            scope=scope,
            scope_id=scope_id,
            source=source,
            source_id=source_id,
            timestamp=timestamp,
            subject=subject,
        )
        return Call.post(
            "/memories",
            body=body,
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            accepts="MemoryCreate",
            returns="IngestedMemory" if source else "CreatedMemory",
        )

    @operation
    def delete_memory(self, user_id: str, memory_id: str) -> Call[DeletedMemory]:
        """Delete a memory (``DELETE /memories/{memory_id}``).

        Returns:
            The id; an empty mapping where a repetition found that a first attempt without an answer had done it.

        Raises:
            NotFoundError: there is no such memory.
        """
        return Call.delete(
            "/memories/{memory_id}",
            params={"memory_id": memory_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="DeletedMemory",
        )

    @operation
    def get_memory_config(self) -> Call[MemoryConfig]:
        """Get the memory settings (``GET /memory``, admin key).

        Nothing is masked: a database's password in ``persistent["connection_string"]`` is given back.
        """
        return Call.get("/memory", key=Key.ADMIN, returns="MemoryConfig")

    @operation
    def get_user_buffer(self, user_id: str) -> Call[UserBuffer]:
        """Get the size of a user's buffer (``GET /memory/buffer``)."""
        return Call.get("/memory/buffer", user_id=user_id, user_required=True, key=Key.EITHER, returns="UserBuffer")

    @operation
    def clear_user_buffer(self, user_id: str) -> Call[BufferCleared]:
        """Clear a user's buffer of conversations; memories stay (``DELETE /memory/buffer``)."""
        return Call.delete(
            "/memory/buffer", user_id=user_id, user_required=True, key=Key.EITHER, returns="BufferCleared"
        )

    @operation
    def clear_session_buffer(self, user_id: str, session_id: str) -> Call[BufferCleared]:
        """Clear the buffer of one session (``DELETE /memory/buffer/{session_id}``), which need not exist."""
        return Call.delete(
            "/memory/buffer/{session_id}",
            params={"session_id": session_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="BufferCleared",
        )

    @procedure
    def clear_all_buffers(self) -> Procedure[BufferCleared]:
        """Clear the buffers of all users (``DELETE /memory/buffers``, admin key).

        Today's runtime does it and then answers 500 ``MEMORY_BUFFER_CLEARED``, which counts as a success.
        """
        try:
            call: Call[BufferCleared] = Call.delete("/memory/buffers", key=Key.ADMIN, operation="clear_all_buffers")
            return (yield from send(call))
        except ServerError as error:
            if error.message != "MEMORY_BUFFER_CLEARED":
                raise
            meta = Meta(request_id=error.request_id, status=error.status_code, attempts=error.attempts)
            return cast("BufferCleared", Result({"message": "All buffers cleared"}, meta=meta))

    @operation
    def get_memory_buffers(self) -> Call[MemoryBuffers]:
        """Get the sizes of the buffers, in the older form (``GET /memory/buffers``, admin key, deprecated).

        :meth:`get_buffer_stats` returns the same and more.
        """
        return Call.get("/memory/buffers", key=Key.ADMIN, returns="MemoryBuffers")

    @operation
    def get_buffer_stats(self) -> Call[BufferStats]:
        """Get the sizes of the formation's buffers (``GET /memory/stats``, admin key)."""
        return Call.get("/memory/stats", key=Key.ADMIN, returns="BufferStats")
