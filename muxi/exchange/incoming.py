"""Responses: decode the data and the envelope of an answer, or make the error of a refusal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from muxi.context import MOMENT, Context
from muxi.errors import ConfigurationError, ErrorAnswer, MuxiError, ServerError, TimeoutError, error_from_answer
from muxi.redact import mask_forms, redact_text, secret_forms
from muxi.result import Meta, Result
from muxi.streaming.call import StreamCall
from muxi.streaming.chat import check_turn, reader_for
from muxi.transport import AnyResponse, BufferedResponse, Request
from muxi.transport.causes import hide_secrets

__all__ = [
    "answer_behind",
    "check_status",
    "complete",
    "decode",
    "error_of",
    "explain_timeout",
    "meta_of",
    "redirected",
    "unexpected",
]

#: How a caller raises a bound, by its name.
_HINTS = {
    "connect": "raise it with connect_timeout=",
    "read": "raise it with timeout=",
    "timeout": "raise it with timeout= on the client or with_options(timeout=…)",
    "deadline": "raise it with deadline= on the client or with_options(deadline=…)",
    "idle_timeout": "raise it with idle_timeout=",
    "stall_timeout": "raise it with stall_timeout=",
}


#: Statuses whose answers have no content (RFC 9110, sections 15.3.5 and 15.3.6).
_WITHOUT_CONTENT = frozenset({204, 205})


#: Messages of a server whose time for an upload has passed, and what its user can do.
_UPLOAD_TOO_SLOW = frozenset({"Failed to save bundle", "Failed to read bundle"})
_UPLOAD_LIMIT = (
    "the server reads a request for 15 s and no longer, so that a slow line limits the size of a bundle: make it "
    "smaller (.muxiignore, see muxi.bundles.plan()) or send it from a place nearer to the server"
)


def decode(response: BufferedResponse, context: Context) -> Any:
    """Decode the data of an answer, with the rest of its envelope as :class:`muxi.Meta`."""
    content = response.content
    if context.call.plain_text:
        return _decode_text(response)
    if not content and response.status in _WITHOUT_CONTENT:
        return Result({}, meta=meta_of({}, response.status, context))
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        what = response.content_type or "no content type"
        error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), content)
        raise unexpected(error, f"the answer is not a JSON object ({what}): {error.message}")
    if payload.get("success") is False:
        raise error_of(response, context)
    data = payload.get("data")
    if not isinstance(data, dict) or "success" not in payload:
        data = payload
        envelope: dict[str, Any] = {}
    else:
        envelope = payload
    if context.call.turn:
        check_turn(data)
    if context.call.beside:
        data = {**data, **{name: envelope[name] for name in context.call.beside if name in envelope}}
    return Result(data, meta=meta_of(envelope, response.status, context))


def _decode_text(response: BufferedResponse) -> str:
    """Return the text of a plain-text answer; refuse the page of a proxy or gateway."""
    if response.content_type == "text/plain":
        return response.content.decode("utf-8", "replace")
    error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), response.content)
    what = response.content_type or "no content type"
    raise unexpected(error, f"the answer is not a plain text ({what}): {error.message}")


def meta_of(envelope: dict[str, Any], status: int, context: Context) -> Meta:
    """Return the envelope's rest of an answer: ids, timestamp, status, attempts."""
    request = envelope.get("request")
    named = request if isinstance(request, dict) else {}
    return Meta(
        request_id=named.get("id") or envelope.get("request_id") or context.request_id,
        idempotency_key=named.get("idempotency_key") or context.idempotency_key,
        timestamp=envelope.get("timestamp"),
        object=envelope.get("object"),
        type=envelope.get("type"),
        status=status,
        attempts=context.attempt,
        elapsed=context.elapsed,
    )


def unexpected(error: MuxiError, message: str) -> ServerError:
    """Return the error for an answer that is not of the expected kind; it keeps the answer."""
    unexpected = ServerError("UNEXPECTED_ANSWER", message, error.status_code, error.details, error.request_id)
    unexpected.answer = error.answer
    return unexpected


def error_of(response: BufferedResponse, context: Context) -> MuxiError:
    """Return the error of an error answer."""
    error = error_from_answer(
        response.status,
        response.reason,
        tuple(response.headers.items()),
        response.content,
        response.retry_after(context.clock.time()),
    )
    if error.message in _UPLOAD_TOO_SLOW:
        error.message = f"{error.message}; {_UPLOAD_LIMIT}"
        error.args = error.args  # repr() shows what was last set, which had the message as it came
    return error


def check_status(response: AnyResponse, context: Context) -> None:
    """Refuse an answer that is no success.

    Raises:
        MuxiError: the error of the answer.
    """
    if response.status < 200:
        raise unexpected(error_of(cast(BufferedResponse, response), context), "the status is not that of an answer")
    if response.status >= 300:
        raise error_of(cast(BufferedResponse, response), context)


def answer_behind(error: MuxiError) -> BufferedResponse:
    """Return the answer behind an error."""
    answer = error.answer
    return BufferedResponse(answer.status, answer.headers, answer.body) if answer else BufferedResponse(404)


def complete(error: MuxiError, context: Context) -> None:
    """Add call, attempts and request id to an error, and hide the call's secrets."""
    hide_secrets(error, context.secrets)
    error.call = error.call or context.call.label
    error.attempts = context.attempt
    error.request_id = error.request_id or context.request_id


def explain_timeout(error: TimeoutError, request: Request, context: Context) -> None:
    """Name the caller's option in a timeout error, and how to raise it."""
    deadline = context.options.deadline
    if deadline is not None and deadline - context.elapsed <= MOMENT:
        error.bound, error.code = "deadline", "DEADLINE"
        error.message = f"the call took longer than deadline = {deadline:g} s"
    elif isinstance(context.call, StreamCall) and error.bound in ("read", "head", "stall"):
        bounds = reader_for(context.call.events).bounds(context.options)
        if error.bound == "head":
            bounds = {}
        # The head has to come within ``timeout`` too; whichever bound is shorter has ended the wait.
        bounds["timeout"] = request.timeouts.head or context.options.timeout
        error.bound = min(bounds, key=lambda name: bounds[name])
        error.code = error.bound.upper()
    if hint := _HINTS.get(error.bound):
        error.message = f"{error.message}; {hint}"


#: Characters of a ``Location`` that stay as they are; all others are percent-encoded, as browsers do.
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


def redirected(url: str, response: BufferedResponse, secrets: Sequence[str] = ()) -> str:
    """Return the target of a redirect within the same origin; keys must not go to another one.

    User name and password in it are dropped, and characters that a URL cannot have are percent-encoded.

    Args:
        url: where the request went.
        response: the redirect, with its ``Location``.
        secrets: the keys of the request, which the target must not repeat: logs of libraries and proxies have URLs.

    Raises:
        ConfigurationError: it leads elsewhere.
        ServerError: it is not a URL, or repeats a key.
    """
    old = urlsplit(url)
    try:
        new = _join(old, response.headers["location"])
        same = _origin(old) == _origin(new)
    except ValueError:
        raise _bad_redirect(response, "something that is not a URL") from None
    if not same:
        host = new.netloc.rpartition("@")[2]
        raise ConfigurationError(
            f"{old.scheme}://{old.netloc} redirects to {redact_text(f'{new.scheme}://{host}')}, which is not "
            "followed because the keys would go along; give the address it redirects to"
        )
    target = urlunsplit(new._replace(netloc=old.netloc, fragment=""))
    if _repeats(target, secrets) and not _repeats(url, secrets):
        raise _bad_redirect(response, "a URL that repeats a key, and is not followed because logs show URLs")
    return target


def _repeats(url: str, secrets: Sequence[str]) -> bool:
    forms = secret_forms(secrets)
    return any(mask_forms(text, forms) != text for text in (url, unquote(url)))


def _bad_redirect(response: BufferedResponse, what: str) -> ServerError:
    error = ServerError("UNEXPECTED_ANSWER", f"the answer redirects to {what}", response.status)
    error.answer = ErrorAnswer(response.status, tuple(response.headers.items()), response.content)
    return error


def _join(old: SplitResult, location: str) -> SplitResult:
    """Return the parts of a ``Location``, relative to the URL it came from.

    Raises:
        ValueError: it is not a URL.
    """
    if not location.isascii():
        # HTTP libraries decode headers as ISO 8859-1; what servers send is UTF-8.
        with suppress(UnicodeError):
            location = location.encode("latin-1").decode()
    encoded = quote(location.strip(), safe=_URL_CHARACTERS)
    # urljoin() joins paths of the schemes it knows only; that of a Unix socket is not among them.
    base = old if old.scheme in ("http", "https") else old._replace(scheme="http")
    new = urlsplit(urljoin(urlunsplit(base), encoded))
    return new._replace(scheme=old.scheme) if base is not old and new.netloc == old.netloc else new


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)
