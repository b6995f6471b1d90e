"""Results: the data as the wire has it, and the rest of the envelope beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from muxi.records import Record
from muxi.transport import Headers

__all__ = ["Meta", "RawResponse", "Result", "meta"]

T = TypeVar("T")


class Meta(Record, frozen=True):
    """The rest of an answer's envelope, and facts of its exchange."""

    #: The id under which the platform knows the request.
    request_id: str | None = None
    #: The key that makes repetitions harmless, where one was sent.
    idempotency_key: str | None = None
    #: When the platform answered, in milliseconds since the epoch.
    timestamp: int | None = None
    #: The envelope's ``object`` and ``type``, such as ``memory_list`` and ``memory.list``.
    object: str | None = None
    type: str | None = None
    #: The HTTP status.
    status: int = 0
    #: How often the request was sent.
    attempts: int = 1
    #: Seconds from the start of the call to its answer.
    elapsed: float = 0.0


#: Envelope fields that code written for the official SDK looks for in the data.
_FALLBACKS = ("request_id", "idempotency_key", "timestamp")


class Result(dict[str, Any]):
    """A mapping with the data of an answer, unchanged. :func:`meta` gives the rest.

    ``result["request_id"]`` falls back to the envelope's where the data has no such key; iteration, length
    and equality are the data's alone.
    """

    __slots__ = ("meta",)

    def __init__(self, data: Mapping[str, Any], *, meta: Meta) -> None:
        super().__init__(data)
        self.meta: Meta = meta

    def __missing__(self, key: str) -> Any:
        if key in _FALLBACKS and (value := getattr(self.meta, key)) is not None:
            return value
        raise KeyError(key)

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the data's value, else the envelope's, else the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (dict(self), self.meta)


def _restore(data: dict[str, Any], meta: Meta) -> Result:
    return Result(data, meta=meta)


def meta(result: object) -> Meta:
    """Return the rest of a result's envelope: request id, idempotency key, timestamp, status, attempts.

    Raises:
        TypeError: the value is not a result of a client's method.
    """
    if isinstance(result, Result):
        return result.meta
    raise TypeError(f"meta() takes what a client's method returned, got {type(result).__name__}")


class RawResponse(Record, Generic[T], frozen=True):
    """A result with the HTTP answer it came in: what ``client.with_raw_response`` returns."""

    #: The result, as the method itself returns it.
    data: T
    status_code: int
    headers: Headers
    #: How often the request was sent.
    attempts: int
    #: Seconds from the start of the call to its answer; for a stream to its head.
    elapsed: float
    request_id: str | None
    #: The body as received; empty for a stream.
    content: bytes = b""
