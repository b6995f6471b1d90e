"""A call to the platform as a plain value: what to send, and nothing about how."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote, urlencode

from muxi.errors import ValidationError

if TYPE_CHECKING:
    from typing_extensions import Self

    from muxi.streaming.streams import AsyncEventStream, EventStream

__all__ = ["Call", "Item", "Key", "Limit", "Pages", "Procedure", "Repeat", "StreamCall", "Wait", "send"]

T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)

Scalar = str | int | float | bool | None


class Sendable(Protocol[T_co]):
    """A call of either kind, by what sending it from a sync client gives."""

    @property
    def _sync(self) -> T_co: ...


class AsyncSendable(Protocol[T_co]):
    """A call of either kind, by what sending it from an async client gives."""

    @property
    def _async(self) -> T_co: ...


class Repeat(str, Enum):
    """How an operation bears being sent twice."""

    #: It changes nothing, or sets what is already set.
    SAFE = "safe"
    #: It removes something; not finding it the second time means that the first attempt did it.
    REMOVAL = "removal"
    #: The runtime honours an idempotency key on it and answers a repetition with the first answer.
    KEYED = "keyed"
    #: A second time does the work twice.
    NEVER = "never"


class Limit(Protocol):
    """What the wire allows as the value of a query parameter."""

    def problem(self, value: object) -> str | None:
        """The reason why ``value`` is not allowed; None if it is."""


class Key(str, Enum):
    """Which credential a route takes (the ``auth:`` line of the route on the wire)."""

    CLIENT = "client"
    ADMIN = "admin"
    #: The client key if there is one, else the admin key.
    EITHER = "either"
    #: The server's HMAC signature.
    SIGNATURE = "signature"
    NONE = "none"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call: it can be compared, pickled, kept, and run by ``client.send(call)``.

    ``T`` is what comes back. Calls are made by operations (``FormationClient.get_memories.call(user_id="u")``)
    or by hand for routes that the SDK does not know.
    """

    method: str
    #: The route below the client's base URL, with its parameters in braces.
    path: str
    #: The route's parameters; each is percent-encoded as one segment.
    params: Mapping[str, str] = field(default_factory=dict)
    #: Query parameters; None is left out.
    query: Mapping[str, Scalar] = field(default_factory=dict)
    #: What is sent as JSON; None is no body.
    body: Any = None
    #: Other content, in place of JSON: a path, bytes, or a :class:`muxi.transport.Body`.
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: Key = Key.CLIENT
    user_id: str | None = None
    #: Whether the route refuses to work without a user.
    user_required: bool = False
    #: Whether the body gets a ``request_id`` of its own, unless it has one, so that the work can be polled.
    tracked: bool = False
    #: The name of the method that makes this call; the table of repetitions knows it.
    operation: str = ""
    #: Overrides the table of repetitions.
    repeat: Repeat | None = None
    #: The schema that the body is checked against before sending, by name.
    accepts: str | None = None
    #: The type of the result, by name.
    returns: str | None = None
    #: Whether the answer is a plain text; anything else is JSON.
    plain_text: bool = False
    #: Fields of the envelope that belong to the result: they stand in it beside the data.
    beside: tuple[str, ...] = ()
    #: Whether the result is a chat turn, which may have failed under HTTP 200.
    turn: bool = False
    #: Seconds for one attempt, for operations that need more than the client's ``timeout``.
    timeout: float | None = None
    #: What the wire allows in the query, checked before sending.
    limits: Mapping[str, Limit] = field(default_factory=dict)
    #: The file that the body of the answer goes to, as it arrives; the result then tells about the file.
    into: str | os.PathLike[str] | None = None
    #: Called as the file grows, with the bytes so far and how many there will be, if that is known.
    progress: Callable[[int, int | None], None] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def get(cls, path: str, **rest: Any) -> Call[T]:
        """A ``GET``; the arguments are the fields of this class."""
        return cls("GET", path, **rest)

    @classmethod
    def post(cls, path: str, **rest: Any) -> Call[T]:
        """A ``POST``; the arguments are the fields of this class."""
        return cls("POST", path, **rest)

    @classmethod
    def put(cls, path: str, **rest: Any) -> Call[T]:
        """A ``PUT``; the arguments are the fields of this class."""
        return cls("PUT", path, **rest)

    @classmethod
    def patch(cls, path: str, **rest: Any) -> Call[T]:
        """A ``PATCH``; the arguments are the fields of this class."""
        return cls("PATCH", path, **rest)

    @classmethod
    def delete(cls, path: str, **rest: Any) -> Call[T]:
        """A ``DELETE``; the arguments are the fields of this class."""
        return cls("DELETE", path, **rest)

    @property
    def label(self) -> str:
        """The call as errors and logs name it: ``chat (POST /chat)``."""
        route = f"{self.method} {self.path}"
        return f"{self.operation} ({route})" if self.operation else route

    def target(self, *, proxied: bool = False) -> str:
        """The path with its parameters and the query, percent-encoded.

        Args:
            proxied: whether a server's proxy stands between, which decodes and cuts paths anew.

        Raises:
            ValidationError: a parameter is empty or would lead to another route, or is not valid text.
        """
        path = self.path
        if self.params:
            path = path.format_map({name: _segment(name, value, proxied) for name, value in self.params.items()})
        if self.query:
            pairs = [(name, _text(value)) for name, value in self.query.items() if value is not None]
            if pairs:
                try:
                    return f"{path}?{urlencode(pairs)}"
                except UnicodeEncodeError as error:
                    raise _refused("query", f"is not valid text: {error}") from error
        return path

    def payload(self, body: Any) -> bytes:
        """``body`` as JSON.

        Raises:
            ValidationError: it has something that JSON has no form for.
        """
        try:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise ValidationError("INVALID_BODY", f"the body cannot be sent as JSON: {error}") from error

    if TYPE_CHECKING:
        # What sending the call gives, in either colour. Overloads of send() would say the same, and mypy takes
        # them for ambiguous wherever a type has an Any in it.
        @property
        def _sync(self) -> T: ...
        @property
        def _async(self) -> T: ...

    def named(self, operation: str) -> Self:
        """The same call under the name of the operation that makes it."""
        if self.operation:
            return self
        # dataclasses.replace() does the same and takes ten times as long, on every call.
        named = object.__new__(type(self))
        named.__dict__.update(self.__dict__, operation=operation)
        return named


@dataclass(frozen=True)
class StreamCall(Call[E]):
    """A call that is answered by a stream of events of type ``E``."""

    #: How the frames of this stream become events: ``chat``, ``log``, … (see :mod:`muxi.streaming.chat`).
    events: str = "chat"
    #: The route that stops the work where the caller leaves early, with ``request_id`` in it.
    cancel: str | None = None

    if TYPE_CHECKING:

        @property
        def _sync(self) -> EventStream[E]: ...  # type: ignore[override]  # an open stream, not one event
        @property
        def _async(self) -> AsyncEventStream[E]: ...  # type: ignore[override]  # likewise


@dataclass(frozen=True)
class Wait:
    """A step of a procedure: let that many seconds pass. Its outcome is the seconds since the procedure began."""

    seconds: float


@dataclass(frozen=True)
class Item(Generic[T]):
    """A step of an iteration over pages: one thing for the caller."""

    value: T


Procedure = Generator["Call[Any] | Wait", Any, T]
Pages = Generator["Call[Any] | Wait | Item[T]", Any, None]


def send(call: Call[T]) -> Generator[Call[T], Any, T]:
    """Run a call inside a procedure: ``answer = yield from send(call)``, typed."""
    result: T = yield call
    return result


def _segment(name: str, value: object, proxied: bool) -> str:
    """One path segment; ``..`` and the like would fetch another route than the one that was meant."""
    if not isinstance(value, str) or not value.strip():
        raise _refused(name, f"takes a text that is not empty, got {value!r}")
    if value in (".", ".."):
        raise _refused(name, f"cannot be {value!r}: a path segment of dots leads to another route")
    if "/" in value:
        raise _refused(name, f"cannot contain '/': the platform has no such id ({value!r})")
    if proxied and not set(value).isdisjoint("?#%"):
        raise _refused(
            name,
            f"cannot contain '?', '#' or '%' behind a server's proxy, which cuts the path there ({value!r}); "
            "address the formation directly with url=",
        )
    try:
        return quote(value, safe="")
    except UnicodeEncodeError as error:
        raise _refused(name, f"is not valid text: {error}") from error


def _refused(field: str, problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PARAMETER",
        f"{field} {problem}",
        details={"validation_errors": [{"field": field, "msg": problem}]},
    )


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
