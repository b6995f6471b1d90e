"""The fields of the lines of a trace, made of calls, requests, answers and events."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from muxi.call import Call
from muxi.context import Context, Outcome
from muxi.errors import MuxiError
from muxi.exchange.repeat import repeat_of
from muxi.plugins.bodies import format_content
from muxi.plugins.trace.texts import TextRedactor
from muxi.redact import REDACTED, is_secret_header, redact_forms, secret_forms
from muxi.streaming.call import StreamCall
from muxi.tracefile.writing import TraceWriter
from muxi.transport import AsyncResponse, BufferedResponse, BytesBody, Headers, Request, Response

__all__ = ["TraceState", "describe_answer", "describe_call", "describe_end", "describe_request", "remembered_forms"]

#: Longest value of a header, and of a name that a peer has chosen, in characters.
_LONGEST_VALUE = 2000

#: Kinds of events of one stream whose texts are put together; a peer can choose any number of kinds.
_MAX_KINDS = 20


def _new_id() -> str:
    return os.urandom(8).hex()


@dataclass
class TraceState:
    """The state of a call that is being traced."""

    writer: TraceWriter
    id: str = field(default_factory=_new_id)
    #: Secrets of all attempts so far, and the forms in which they can occur in a text.
    secrets: dict[str, None] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
    #: Number of the last attempt with a request, and its requests: more than one after a redirect.
    requests: tuple[int, int] = (0, 0)
    events: int = 0
    texts: dict[str, TextRedactor] = field(default_factory=dict)
    #: The failure of the last attempt, unless another was scheduled.
    failure: MuxiError | None = None
    #: Whether plugins were asked if it is to be repeated.
    asked: bool = False

    def add_secrets(self, context: Context, forms_of: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        """Have the secrets of the current request masked from now on, in the forms that a function makes of them."""
        known = len(self.secrets)
        self.secrets.update(dict.fromkeys(context.secrets))
        if len(self.secrets) > known:
            self.forms = forms_of(tuple(self.secrets))
            self.texts.clear()

    def count_request(self, attempt: int) -> int:
        """Return the number of redirects that an attempt has followed before this request."""
        last, sent = self.requests
        self.requests = (attempt, sent + 1 if last == attempt else 0)
        return self.requests[1]

    def describe_event(self, event: object, limit: int) -> dict[str, Any]:
        """Describe an event: number, type, and its text or data if bodies are written."""
        self.events += 1
        fields: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
        kind = str(fields.get("type") or fields.get("event") or "event")[:100]
        text = fields.get("text")
        record: dict[str, Any] = {"n": self.events, "type": kind}
        if isinstance(text, str):
            record["size"] = len(text.encode("utf-8", "replace"))
            if limit:
                record["text"] = self._redactor(kind).feed(text)[:limit]
        elif limit:
            record["data"] = _format_data(fields, self.forms, limit)
        return record

    def describe_rest(self) -> dict[str, Any]:
        """Return the number of events, and the ends of texts that were held back."""
        rest = {kind: text for kind, redactor in self.texts.items() if (text := redactor.finish())}
        return {"events": self.events, **({"rest": rest} if rest else {})}

    def _redactor(self, kind: str) -> TextRedactor:
        if kind not in self.texts:
            kind = kind if len(self.texts) < _MAX_KINDS else ""
        return self.texts.setdefault(kind, TextRedactor(self.forms))


def remembered_forms() -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Return :func:`muxi.redact.secret_forms` with its last result remembered: calls of a client share their keys.

    A function, whose ``repr`` and attributes show nothing of what it remembers.
    """
    last: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def forms_of(secrets: tuple[str, ...]) -> tuple[str, ...]:
        nonlocal last
        known = last
        if known[0] != secrets:
            known = last = (secrets, secret_forms(secrets))
        return known[1]

    return forms_of


def describe_call(call: Call[Any], context: Context) -> dict[str, Any]:
    """Describe a call that begins: operation, route, URL, user, session and settings."""
    return {
        "operation": call.operation or f"{call.method} {call.path}",
        "method": call.method,
        "route": call.path,
        "url": context.url,
        "user": call.user_id,
        "session": _find_session(call),
        "request": context.request_id,
        "key": call.key.value,
        "safety": repeat_of(call).value,
        "stream": isinstance(call, StreamCall),
        "max_retries": context.options.max_retries,
    }


def describe_request(request: Request, context: Context, limit: int) -> dict[str, Any]:
    """Describe a request: method, URL, headers, size, and its body if the limit allows one."""
    body = request.body
    record: dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "headers": _describe_headers(request.headers),
        "size": 0 if body is None else body.length,
    }
    text = format_content(body, request.headers, context, limit)
    return {**record, "body": text} if text else record


def describe_answer(
    response: Response | AsyncResponse | BufferedResponse, context: Context, limit: int
) -> dict[str, Any]:
    """Describe an answer: status, headers, size if it has been read, and its body if the limit allows one."""
    record: dict[str, Any] = {
        "status": response.status,
        "reason": response.reason[:100],
        "headers": _describe_headers(response.headers),
        "size": None,
    }
    if not isinstance(response, BufferedResponse):
        return record
    record["size"] = len(response.content)
    text = format_content(BytesBody(response.content), response.headers, context, limit)
    return {**record, "body": text} if text else record


def describe_end(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Describe the end of a call: outcome, status, ids, attempts and seconds."""
    error, response = outcome.error, outcome.response
    known = error if isinstance(error, MuxiError) else None
    metadata = getattr(outcome.result, "meta", None)
    status = known.status_code if known is not None else response.status if response is not None else 0
    ended = "left" if outcome.left else "ok"
    return {
        "outcome": "failed" if error is not None else ended,
        "status": status or None,
        "request": (known.request_id if known is not None else getattr(metadata, "request_id", None))
        or context.request_id,
        "attempts": context.attempt,
        "seconds": round(context.elapsed, 6),
    }


def _describe_headers(headers: Headers) -> list[list[str]]:
    return [[name, REDACTED if is_secret_header(name) else value[:_LONGEST_VALUE]] for name, value in headers.items()]


def _find_session(call: Call[Any]) -> str | None:
    """Return the session of a call: in its route, its body or its query."""
    for fields in (call.params, call.body, call.query):
        found = fields.get("session_id") if isinstance(fields, Mapping) else None
        if found:
            return str(found)
    return None


def _format_data(fields: Mapping[str, Any], forms: tuple[str, ...], limit: int) -> str:
    try:
        text = json.dumps(redact_forms(dict(fields), forms), ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        return "<nested too deep to be shown>"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
