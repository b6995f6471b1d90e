"""A request that reached a transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from muxi.redact import REDACTED, redact_data, redact_text
from muxi.transport import Body, Headers, Request
from muxi_transports.routing.rule import place_of

__all__ = ["AnsweringStub", "SentRequest"]

_LONGEST = 160

#: Routes whose bodies are secrets, under any name.
_CONFIDENTIAL = frozenset({"credentials", "secrets"})


class AnsweringStub(Protocol):
    """The stub that answered a request, seen from the request."""

    @property
    def called(self) -> bool:
        """True once the stub has answered a request."""
        ...

    def assert_called(self, *, times: int | None = None) -> None:
        """Check how often the stub was called."""
        ...

    def remove(self) -> None:
        """Remove the stub from its world."""
        ...


class SentRequest:
    """One attempt to send something, as it reached the transport.

    Args:
        request: the request.
        time: when it came, in seconds of the world's clock since the epoch.
    """

    def __init__(self, request: Request, time: float = 0.0) -> None:
        #: ``GET``, ``POST``, …
        self.method: str = request.method.upper()
        #: As it was sent, with its query.
        self.url: str = request.url
        #: A copy; the keys in it do not show in its repr.
        self.headers: Headers = request.headers.copy()
        #: The time of arrival, in seconds of the world's clock since the epoch.
        self.time: float = time
        #: The values of the names in the path pattern of the stub that was tried last.
        self.params: Mapping[str, str] = {}
        #: The stub that answered; None if the world did, or there is no answer yet.
        self.stub: AnsweringStub | None = None
        #: The status of the answer; None where there was none.
        self.status: int | None = None
        #: Its place among all requests of the world, from 1.
        self.number: int = 0
        self._body: Body | None = request.body

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The segments of the path, each decoded."""
        return place_of(Request(self.method, self.url)).segments

    @property
    def path(self) -> str:
        """The path, each segment decoded, without the query."""
        return "/" + "/".join(self.segments)

    @cached_property
    def query(self) -> dict[str, str]:
        """The query; of a name that comes more than once the last value."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def user(self) -> str | None:
        """The user of the header ``X-Muxi-User-ID``."""
        return self.headers.get("X-Muxi-User-ID")

    @cached_property
    def content(self) -> bytes | None:
        """The body; None where there is none, or where it could be read only once."""
        if self._body is None or not self._body.repeatable:
            return None
        return b"".join(self._body.chunks())

    @cached_property
    def json(self) -> object:
        """The body as JSON; None where it is something else."""
        try:
            return json.loads(self.content or b"")
        except (ValueError, RecursionError):
            return None

    def drain(self) -> None:
        """Read the body as a network would, so that progress is reported."""
        if self._body is not None and self._body.length is None:
            for _ in self._body.chunks():
                pass

    @property
    def confidential(self) -> bool:
        """True if the body must not be shown at all."""
        return not _CONFIDENTIAL.isdisjoint(self.segments)

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def __repr__(self) -> str:
        parts = [self.line]
        if self.query:
            parts.append(f"query={redact_data(self.query)!r}")
        if self.user is not None:
            parts.append(f"user={self.user!r}")
        if "json" in (self.headers.get("Content-Type") or "") and self.json is not None:
            parts.append(f"json={REDACTED if self.confidential else repr(redact_data(self.json))}")
        text = redact_text(" ".join(parts))
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        return f"<{text}{'' if self.status is None else f' → {self.status}'}>"
