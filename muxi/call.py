"""A call to the platform as a plain value; how it is sent is up to the client."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from muxi.errors import ValidationError
from muxi.records import Record, field, fields
from muxi.redact import REDACTED, SHORTEST_SECRET, is_secret_field, keys_in, redact_data, show_value
from muxi.surrogates import has_half

__all__ = [
    "Call",
    "Item",
    "Key",
    "Limit",
    "Pages",
    "Procedure",
    "Repeat",
    "Wait",
    "check_text",
    "invalid_parameter",
    "send",
    "text_problem",
]

T = TypeVar("T")
C = TypeVar("C", bound="Call[Any]")

Scalar = str | int | float | bool | None


class Repeat(str, Enum):
    """Retry safety of an operation."""

    #: It changes nothing, or sets what is already set.
    SAFE = "safe"
    #: It removes something; not finding it the second time means that the first attempt did it.
    REMOVAL = "removal"
    #: The runtime honours an idempotency key on it and answers a repetition with the first answer.
    KEYED = "keyed"
    #: A second time does the work twice.
    NEVER = "never"


class Limit(Protocol):
    """The values that the wire allows for a query parameter."""

    def problem(self, value: object) -> str | None:
        """Return why ``value`` is not allowed, or None."""


class Key(str, Enum):
    """The credential of a route (the ``auth:`` line of the route on the wire)."""

    CLIENT = "client"
    ADMIN = "admin"
    #: The client key if there is one, else the admin key.
    EITHER = "either"
    #: The server's HMAC signature.
    SIGNATURE = "signature"
    NONE = "none"


#: Routes whose bodies are secrets, whatever the names of their fields, except the names of what they hold.
_SECRET_ROUTES = ("/secrets", "/credentials")
_PUBLIC_FIELDS = frozenset({"key", "name", "service"})

#: The reason why a text cannot be sent.
HALF_PAIR = "it has half of a surrogate pair, which UTF-8 cannot encode"
#: Bits of a number that is written into a body; Python refuses to convert some 14,000.
_LONGEST_NUMBER = 4000
#: Levels of a body that are searched for secrets.
_MAX_DEPTH = 20


class Call(Record, Generic[T], frozen=True):
    """A call, which can be compared, pickled, stored, and run by ``client.send(call)``.

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
    #: The file that the body of the answer goes to, as it arrives; the result then describes the file.
    into: str | os.PathLike[str] | None = None
    #: Called as the file grows, with the bytes so far and the total, or None if it is unknown.
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
        """Name of the call in errors and logs: ``chat (POST /chat)``."""
        route = f"{self.method} {self.path}"
        return f"{self.operation} ({route})" if self.operation else route

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values in this call that errors and logs mask: in secret headers, parameters and fields of the body."""
        found = [value for name, value in self.query.items() if isinstance(value, str) and is_secret_field(name)]
        if isinstance(self.body, dict | list):
            secret = self.path.startswith(_SECRET_ROUTES)
            for name, value in self.body.items() if isinstance(self.body, dict) else [("", self.body)]:
                found += _secrets_in(value, (secret and name not in _PUBLIC_FIELDS) or is_secret_field(str(name)))
        return (*keys_in(self.headers.items()), *(value for value in found if len(value) >= SHORTEST_SECRET))

    def __repr__(self) -> str:
        shown = [self.label]
        for item in fields(self):
            value = getattr(self, item.name)
            if not item.repr or item.name in ("method", "path", "operation") or value in (None, "", False, (), {}):
                continue
            if item.name == "body" and self.path.startswith(_SECRET_ROUTES):
                value = REDACTED
            elif item.name == "content":
                value = f"<{type(value).__name__}>"
            elif item.name in ("body", "query", "params"):
                value = redact_data(dict(value) if isinstance(value, Mapping) else value)
            shown.append(f"{item.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def target(self, *, proxied: bool = False) -> str:
        """Return the path with its parameters and the query, percent-encoded.

        Args:
            proxied: whether a server's proxy stands between, which decodes and cuts paths anew.

        Raises:
            ValidationError: a parameter is empty or would lead to another route, or is not valid text.
        """
        path = self.path
        if self.params or "{" in path:
            segments = {name: _encode_segment(name, value, proxied) for name, value in self.params.items()}
            try:
                path = path.format_map(segments)
            except (LookupError, ValueError, AttributeError):
                raise invalid_parameter("path", f"{path!r} has names in braces that params= has no value for") from None
        if self.query:
            pairs = [(name, _format_scalar(name, value)) for name, value in self.query.items() if value is not None]
            pairs = [(name, value.strip() if name.endswith("_id") else value) for name, value in pairs]
            if pairs:
                from urllib.parse import urlencode

                return f"{path}?{urlencode(pairs)}"
        return path

    def payload(self, body: Any) -> bytes:
        """Return ``body`` as JSON.

        Raises:
            ValidationError: it cannot be encoded as JSON.
        """
        import json

        try:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        except RecursionError:
            problem = "it is nested too deeply"
        except (TypeError, ValueError) as error:
            field, problem = next(_unsendable(body, "", set()), ("", ""))
            problem = f"{field}: {problem}" if field else problem or str(error)
        # Raised without a cause: that has the body in it, and a body may hold secrets.
        raise ValidationError("INVALID_BODY", f"the body cannot be sent as JSON: {problem}")

    if TYPE_CHECKING:
        # What sending the call gives, in either colour. Overloads of send() would say the same, and mypy takes
        # them for ambiguous wherever a type has an Any in it.
        @property
        def _sync(self) -> T: ...
        @property
        def _async(self) -> T: ...

    def named(self: C, operation: str) -> C:
        """Return the call with the name of its operation, unless it has one."""
        if self.operation:
            return self
        # replace() does the same and takes ten times as long, on every call.
        named = object.__new__(type(self))
        named.__dict__.update(self.__dict__, operation=operation)
        return named


class Wait(Record, frozen=True):
    """A step of a procedure: wait for a number of seconds. Its outcome is the seconds since the procedure began."""

    seconds: float


class Item(Record, Generic[T], frozen=True):
    """A step of an iteration over pages: one item for the caller."""

    value: T


Procedure = Generator["Call[Any] | Wait", Any, T]
Pages = Generator["Call[Any] | Wait | Item[T]", Any, None]


def send(call: Call[T]) -> Generator[Call[T], Any, T]:
    """Run a call inside a procedure: ``answer = yield from send(call)``, typed."""
    result: T = yield call
    return result


def _encode_segment(name: str, value: object, proxied: bool) -> str:
    """Return a parameter as one path segment; refuse ``..`` and others that lead to another route.

    White space at its ends is dropped, as that of keys and of the user's id is.
    """
    if not isinstance(value, str) or not value.strip():
        raise invalid_parameter(name, f"takes a text that is not empty, got {show_value(value)}")
    value = value.strip()
    if value in (".", ".."):
        raise invalid_parameter(name, f"cannot be {value!r}: a path segment of dots leads to another route")
    if "/" in value:
        raise invalid_parameter(name, f"cannot contain '/': the platform has no such id ({value!r})")
    if proxied and not set(value).isdisjoint("?#%"):
        raise invalid_parameter(
            name,
            f"cannot contain '?', '#' or '%' behind a server's proxy, which cuts the path there ({value!r}); "
            "address the formation directly with url=",
        )
    from urllib.parse import quote

    try:
        return quote(value, safe="")
    except UnicodeEncodeError as error:
        raise invalid_parameter(name, f"is not valid text: {error}") from error


def _secrets_in(value: object, secret: bool, depth: int = _MAX_DEPTH) -> Iterator[str]:
    """Yield the texts of a body that are secret."""
    if isinstance(value, str):
        if secret:
            yield value
    elif depth > 0 and isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets_in(item, secret or is_secret_field(str(name)), depth - 1)
    elif depth > 0 and isinstance(value, list | tuple):
        for item in value:
            yield from _secrets_in(item, secret, depth - 1)


def invalid_parameter(field: str, problem: str) -> ValidationError:
    """Return the error of an argument that cannot be sent, which names the argument."""
    return ValidationError(
        "INVALID_PARAMETER",
        f"{field} {problem}",
        details={"validation_errors": [{"field": field, "msg": problem}]},
    )


def check_text(field: str, value: str) -> None:
    """Refuse a text that UTF-8 cannot encode.

    Raises:
        ValidationError: it has half of a surrogate pair; the field is named, and the text is not shown.
    """
    if problem := text_problem(value):
        raise invalid_parameter(field, problem)


def text_problem(value: str) -> str | None:
    """Return why a text cannot be sent, or None."""
    return f"is not valid text: {HALF_PAIR}" if has_half(value) else None


def _format_scalar(name: str, value: Scalar) -> str:
    given: object = value
    if isinstance(given, bool):
        return "true" if given else "false"
    if not isinstance(given, str | int | float):
        raise invalid_parameter(name, f"takes a text or a number, got {type(given).__name__}")
    if isinstance(given, float) and not isfinite(given):
        raise invalid_parameter(name, f"takes a finite number, got {given}")
    try:
        text = str(given)
    except ValueError:  # digits beyond what Python converts
        raise invalid_parameter(name, "is a number with too many digits") from None
    check_text(name, text)
    return text


def _unsendable(value: object, path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a body that cannot be sent as JSON, each with the reason."""
    if isinstance(value, dict | list | tuple):
        if id(value) not in seen:
            seen.add(id(value))
            yield from _unsendable_items(value, path, seen)
    elif isinstance(value, str):
        if has_half(value):
            yield path, HALF_PAIR
    elif isinstance(value, float):
        if not isfinite(value):
            yield path, f"is {value}, which JSON has no form for"
    elif isinstance(value, int):
        if value.bit_length() > _LONGEST_NUMBER:
            yield path, "is a number with too many digits"
    elif value is not None:
        yield path, f"is of the type {type(value).__name__}, which JSON has no form for"


def _unsendable_items(
    items: dict[Any, Any] | list[Any] | tuple[Any, ...], path: str, seen: set[int]
) -> Iterator[tuple[str, str]]:
    if isinstance(items, dict):
        for name, item in items.items():
            if not (isinstance(name, str | int | float) or name is None):
                yield path, f"has a field whose name is of the type {type(name).__name__}"
            elif isinstance(name, str) and has_half(name):
                yield path, f"has a field with an invalid name: {HALF_PAIR}"
            else:
                yield from _unsendable(item, f"{path}.{name}" if path else f"{name}", seen)
    else:
        for place, item in enumerate(items):
            yield from _unsendable(item, f"{path}[{place}]", seen)
