"""Recorded values: a request, its response or error, and when each part came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from muxi import errors
from muxi.errors import MuxiError
from muxi.redact import redact_text
from muxi.transport import Headers

__all__ = ["FACTS", "Chunk", "Exchange", "RecordedError", "RecordedRequest", "RecordedResponse"]

#: What is kept of an error besides its class, code and message.
FACTS = ("status_code", "connected", "permanent", "bound", "retry_after", "request_id", "details")


class Chunk(NamedTuple):
    """A piece of a body as it arrived."""

    #: Seconds since the request was sent.
    at: float
    content: bytes

    def __repr__(self) -> str:
        return f"Chunk({self.at:g}, {len(self.content)} bytes)"


@dataclass(frozen=True)
class RecordedRequest:
    """A request without its secrets.

    Args:
        method: in capitals.
        url: with its query, without user and password.
        headers: without those that only say which SDK on which machine has sent it.
        content: the body; None where there was none, or where only its digest is kept.
        digest: stands for a body that is not kept because it is binary or large: ``sha256:…``.
        secrets: what it was signed with, until it is scrubbed; never written.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    content: bytes | None = None
    digest: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __repr__(self) -> str:
        # Before it is scrubbed, the body may hold secrets, and frames that fail have it among their locals.
        length = "" if self.content is None else f", {len(self.content)} bytes"
        return f"RecordedRequest({self.method} {redact_text(self.url)}, {self.headers!r}{length})"


@dataclass(frozen=True)
class RecordedError:
    """An error of :mod:`muxi.errors` that came in place of an answer, or in the middle of one.

    Args:
        at: seconds since the request was sent.
        type: the name of its class.
        code: its code.
        message: its message.
        facts: what else it knows, such as ``connected``, ``bound`` and ``details``.
    """

    at: float
    type: str
    code: str
    message: str
    facts: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, error: MuxiError, at: float) -> RecordedError:
        """The facts of an error that are needed to raise it again."""
        facts = {name: getattr(error, name) for name in FACTS if hasattr(error, name)}
        kept = {name: value for name, value in facts.items() if name == "connected" or value}
        return cls(at, type(error).__name__, error.code, error.message, kept)

    def made(self) -> MuxiError:
        """The error, new."""
        kind = cast(type[MuxiError], getattr(errors, self.type))
        error = kind.__new__(kind)
        # The constructors of the classes differ; what they have in common is enough.
        MuxiError.__init__(error, self.code, self.message)
        if isinstance(error, errors.ConnectionError | errors.TimeoutError):
            error.connected = True
        if isinstance(error, errors.ConnectionError):
            error.permanent = False
        if isinstance(error, errors.TimeoutError):
            error.bound = "timeout"
        vars(error).update(self.facts)
        return error


@dataclass(frozen=True)
class RecordedResponse:
    """An answer without its secrets.

    Args:
        status: the HTTP status.
        headers: duplicates one by one.
        chunks: the body as it arrived.
        reason: the phrase of the status line.
        http_version: ``1.1``, ``2``.
        at: when the head was there, in seconds since the request was sent.
        ended: when the body had ended; None where it did not.
        closed: when the reader left before the end; None where it did not.
        error: how the body broke off; None where it did not.
    """

    status: int
    headers: Headers = field(default_factory=Headers)
    chunks: tuple[Chunk, ...] = ()
    reason: str = ""
    http_version: str = "1.1"
    at: float = 0.0
    ended: float | None = None
    closed: float | None = None
    error: RecordedError | None = None

    @property
    def content(self) -> bytes:
        """The part of the body that arrived."""
        return b"".join(chunk.content for chunk in self.chunks)


@dataclass(frozen=True)
class Exchange:
    """A request and what came of it: a response, or an error in its place."""

    request: RecordedRequest
    response: RecordedResponse | None = None
    error: RecordedError | None = None
    #: Where it begins in the cassette's file; 0 where it is not from there.
    line: int = field(default=0, compare=False)
