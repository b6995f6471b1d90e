"""Bodies as aiohttp sends them, without the loop waiting for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from muxi.transport import BytesBody
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE

__all__ = ["body_of"]

# aiohttp warns about bytes that it would have to write at one go; beyond this they go piece by piece.
_LARGE = 512 * 1024


def body_of(attempt: Attempt) -> bytes | AsyncIterator[bytes] | None:
    """The body of an attempt: its bytes, or an iterator over them."""
    body = attempt.body
    if body is None:
        return None
    if isinstance(body, BytesBody):
        return body.content if len(body.content) <= _LARGE else _slices(body.content)
    return _pieces_from_thread(attempt)


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]


async def _pieces_from_thread(attempt: Attempt) -> AsyncIterator[bytes]:
    """A body from a disk, or from whatever else it waits for, without the loop waiting along."""
    pieces = attempt.pieces()
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        # Cancelled in the middle of a read, the thread still has it; it is closed when the thread lets go.
        with suppress(ValueError):
            pieces.close()
