"""Bodies as aiohttp sends them, without the loop waiting for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from muxi.transport import BytesBody
from muxi_transports.aiohttp.carriage import Carriage
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE

__all__ = ["body_of", "is_quick"]

# aiohttp warns about bytes that it would have to write at one go; beyond this they go piece by piece.
_LARGE = 512 * 1024


def is_quick(attempt: Attempt) -> bool:
    """Return whether the request is out as soon as it is handed to aiohttp."""
    return attempt.body is None or (isinstance(attempt.body, BytesBody) and len(attempt.body.content) <= _LARGE)


def body_of(carriage: Carriage) -> bytes | AsyncIterator[bytes] | None:
    """The body of a request: its bytes, or an iterator over them."""
    body = carriage.attempt.body
    if body is None:
        return None
    if isinstance(body, BytesBody):
        return body.content if len(body.content) <= _LARGE else _slices(body.content, carriage)
    return _pieces_from_thread(carriage)


async def _slices(content: bytes, carriage: Carriage) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]
    carriage.await_head()


async def _pieces_from_thread(carriage: Carriage) -> AsyncIterator[bytes]:
    """A body from a disk, or from whatever else it waits for, without the loop waiting along."""
    pieces = carriage.attempt.pieces()
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece
        carriage.await_head()
    finally:
        # Cancelled in the middle of a read, the thread still has it; it is closed when the thread releases it.
        with suppress(ValueError):
            pieces.close()
