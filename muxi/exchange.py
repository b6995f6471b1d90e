"""The life of one call, written once and without I/O.

:func:`exchange` is a generator. It yields what it wants done (:class:`Send`, :class:`Read`, :class:`Sleep`,
:class:`Discard`, :class:`muxi.hooks.Await`) and is sent the outcome; a driver of each colour in
:mod:`muxi.client` does it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload
from urllib.parse import SplitResult, urljoin, urlsplit

from muxi.call import Call, Item, Pages, Procedure, StreamCall, Wait
from muxi.config import Address
from muxi.context import Context, Options, Outcome, Stop
from muxi.download import check_target, describe
from muxi.errors import (
    ConfigurationError,
    MuxiError,
    ServerError,
    TimeoutError,
    ValidationError,
    error_from_answer,
)
from muxi.events import check_turn, reader_for
from muxi.hooks import Await, Hooks
from muxi.identifiers import random_id
from muxi.limits import check_limits
from muxi.redact import redact_text
from muxi.repeat import is_gone, is_unknown, may_repeat
from muxi.result import Meta, Result
from muxi.schemas import SchemaRegistry
from muxi.transport import (
    AsyncResponse,
    Body,
    BufferedResponse,
    BytesBody,
    Headers,
    Request,
    Response,
    Timeouts,
    as_body,
)

__all__ = ["Answer", "Discard", "Effect", "ItemSteps", "Read", "Send", "Sleep", "Steps", "exchange", "finish", "follow"]

T = TypeVar("T")

#: Redirects within one origin that are followed before giving up.
MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: How a caller raises a bound, by its name.
_HINTS = {
    "connect": "raise it with connect_timeout=",
    "read": "raise it with timeout=",
    "timeout": "raise it with timeout= on the client or with_options(timeout=…)",
    "deadline": "raise it with deadline= on the client or with_options(deadline=…)",
    "idle_timeout": "raise it with idle_timeout=",
    "stall_timeout": "raise it with stall_timeout=",
}

#: Time that is as good as none, in seconds: what is left of a deadline is not split finer.
_MOMENT = 0.001


class Send(NamedTuple):
    """Send this request; the outcome is a response whose body has not been read."""

    request: Request


class Read(NamedTuple):
    """Read the body of this response to its end; the outcome is the bytes."""

    response: Any


class Save(NamedTuple):
    """Write the body of this response to the call's file as it arrives; the outcome is its size in bytes."""

    response: Any
    call: Call[Any]


class Discard(NamedTuple):
    """Close this response; nothing of it is wanted."""

    response: Any


class Sleep(NamedTuple):
    """Let that many seconds pass."""

    seconds: float


AnyResponse = BufferedResponse | Response | AsyncResponse
Effect = Send | Read | Save | Discard | Sleep | Await
Steps = Generator[Effect, Any, T]
ItemSteps = Generator[Effect | Item[T], Any, Any]


class Settings(NamedTuple):
    """What a client brings to each of its calls."""

    address: Address
    options: Options
    hooks: Hooks
    schemas: SchemaRegistry
    clock: Any


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What an exchange ends with."""

    #: The result; for a stream the open response, or the buffered one a plugin answered with.
    data: T
    response: AnyResponse
    context: Context


def exchange(call: Call[T], settings: Settings) -> Steps[Answer[T]]:
    """Run one call: validate, prepare, send, classify, retry, decode, with the hooks in between.

    A stream's exchange ends when its head has arrived; its ``muxi_call_finished`` is left to the stream.

    Raises:
        MuxiError: the call failed; the error names the call, the status, the code and the request id.
    """
    return (yield from _run(_begin(call, settings), settings))


def _run(context: Context, settings: Settings) -> Steps[Answer[Any]]:
    """The call from its first hook to its last."""
    call, hooks = context.call, settings.hooks
    try:
        if hooks.has("muxi_call_started"):
            yield from hooks.observe("muxi_call_started", call=call, context=context)
        answer = yield from _attempts(context, settings)
    except BaseException as error:
        if isinstance(error, MuxiError):
            _complete(error, context)
        if not isinstance(error, GeneratorExit) and hooks.has("muxi_call_finished"):
            yield from finish(hooks, context, Outcome(error=error))
        raise
    if hooks.has("muxi_call_finished") and not isinstance(call, StreamCall):
        yield from finish(hooks, context, Outcome(result=answer.data, response=answer.response))
    return answer


def finish(hooks: Hooks, context: Context, outcome: Outcome) -> Steps[None]:
    """Tell the plugins that the call has ended."""
    yield from hooks.observe("muxi_call_finished", call=context.call, outcome=outcome, context=context)


@overload
def follow(steps: Procedure[T], settings: Settings) -> Steps[tuple[T, Answer[Any] | None]]: ...
@overload
def follow(steps: Pages[T], settings: Settings) -> ItemSteps[T]: ...
def follow(steps: Procedure[Any] | Pages[Any], settings: Settings) -> Generator[Any, Any, Any]:
    """Run a procedure, or an iteration over pages: each of its calls as an exchange, one after the other.

    Returns:
        What the procedure returned, and the last answer on the way to it.
    """
    last: Answer[Any] | None = None
    began = settings.clock.monotonic()
    try:
        step = next(steps)
        while True:
            outcome: Any = None
            try:
                if isinstance(step, Call):
                    context = _begin(step, settings)
                    try:
                        last = yield from _run(context, settings)
                    except MuxiError as error:
                        last = _failed(error, context) or last
                        raise
                    outcome = last.data
                elif isinstance(step, Wait):
                    yield Sleep(step.seconds)
                    outcome = settings.clock.monotonic() - began
                else:
                    yield step
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as stop:
        return stop.value, last
    except MuxiError as error:
        error.call = error.call or getattr(steps, "__name__", None)
        raise
    finally:
        steps.close()


def _failed(error: MuxiError, context: Context) -> Answer[Any] | None:
    """The answer behind an error, which a procedure may take for a good one."""
    return Answer(None, _buffered(error), context) if error.answer else None


def _begin(call: Call[Any], settings: Settings) -> Context:
    """Check the call as far as that is possible without sending it."""
    address, options, clock = settings.address, settings.options, settings.clock
    try:
        _check_user(call)
        if isinstance(call, StreamCall):
            _check_events(call)
        url = address.base_url + call.target(proxied=address.proxied)
        context = Context(
            call=call,
            address=address,
            url=url,
            options=options,
            clock=clock,
            idempotency_key=options.idempotency_key or None,
            started=clock.monotonic(),
        )
        if call.limits:
            check_limits(call.limits, call.query)
        settings.schemas.check_request(call)
        if call.into is not None:
            check_target(call.into)
        if call.tracked and isinstance(call.body, dict):
            context.request_id = call.body.get("request_id") or random_id("req_")
        return context
    except MuxiError as error:
        error.call = error.call or call.label
        raise


def _check_events(call: StreamCall[Any]) -> None:
    try:
        reader_for(call.events)
    except KeyError:
        raise ConfigurationError(f"nobody knows how to read a stream of {call.events!r}; 'frames' reads any") from None


def _check_user(call: Call[Any]) -> None:
    user: object = call.user_id
    if call.user_required and (user is None or (isinstance(user, str) and not user.strip())):
        raise _bad_user("USER_REQUIRED", "this needs a user: give user_id=")
    if user is None:
        return
    if not isinstance(user, str):
        raise _bad_user("INVALID_PARAMETER", f"user_id takes a text, got {type(user).__name__}")
    try:
        user.encode()
    except UnicodeEncodeError as error:
        raise _bad_user("INVALID_PARAMETER", f"user_id is not valid text: {error}") from error


def _bad_user(code: str, problem: str) -> ValidationError:
    return ValidationError(code, problem, details={"validation_errors": [{"field": "user_id", "msg": problem}]})


def _attempts(context: Context, settings: Settings) -> Steps[Answer[Any]]:
    """Attempt after attempt until there is an answer, or an error that stands."""
    call, hooks = context.call, settings.hooks
    body = _body(call, context)
    unknown_before = False
    while True:
        context.attempt += 1
        try:
            return (yield from _attempt(context, settings, body))
        except MuxiError as error:
            _complete(error, context)
            if hooks.has("muxi_attempt_failed"):
                yield from hooks.observe("muxi_attempt_failed", error=error, context=context)
            if unknown_before and is_gone(call.repeats, error):
                return Answer(Result({}, meta=_meta({}, 404, context)), _buffered(error), context)
            delay = yield from _delay(error, context, settings, body)
            if delay is None:
                raise
            unknown_before = unknown_before or is_unknown(error)
        yield Sleep(delay)


def _delay(error: MuxiError, context: Context, settings: Settings, body: Body | None) -> Steps[float | None]:
    """Seconds until the next attempt; None where there is none."""
    if body is not None and not body.repeatable:
        return None
    keyed = context.request is not None and bool(context.request.headers.get("x-muxi-idempotency-key"))
    if not may_repeat(context.call.repeats, error, keyed=keyed):
        return None
    if not settings.hooks.has("muxi_retry_delay"):
        return None
    delay = yield from settings.hooks.decide("muxi_retry_delay", outcome=Outcome(error=error), context=context)
    if delay is None or isinstance(delay, Stop):
        return None
    deadline = context.options.deadline
    if deadline is not None and context.elapsed + delay >= deadline:
        return None
    return max(0.0, float(delay))


def _attempt(context: Context, settings: Settings, body: Body | None) -> Steps[Answer[Any]]:
    """One attempt: prepare, send, read, classify, decode."""
    call, hooks = context.call, settings.hooks
    url, method = context.url, call.method
    streaming = isinstance(call, StreamCall)
    redirects = 0
    while True:
        request = _request(method, url, context, body)
        context.request = request
        if hooks.has("muxi_prepare_request"):
            yield from hooks.apply("muxi_prepare_request", request=request, context=context)
        response = yield from _answer(request, context, hooks)
        if response.status not in _REDIRECTS or not response.headers.get("location"):
            break
        if redirects == MAX_REDIRECTS:
            raise ServerError("TOO_MANY_REDIRECTS", f"more than {MAX_REDIRECTS} redirects", response.status)
        redirects += 1
        url = _redirected(url, response)
        if response.status == 303 and method != "HEAD":
            method, body = "GET", None
        if body is not None and not body.repeatable:
            raise ConfigurationError(
                f"the answer redirects to {redact_text(url)}, and the body, an iterator, cannot be sent a second time; "
                "give the address it redirects to, or a function that returns the iterator"
            )
    if response.status >= 300:
        raise _error(cast(BufferedResponse, response), context)
    if streaming:
        yield from _check_stream(response)
        return Answer(response, response, context)
    if call.into is not None:
        return (yield from _saved(response, request, context))
    return Answer(_decode(cast(BufferedResponse, response), context), response, context)


def _answer(request: Request, context: Context, hooks: Hooks) -> Steps[AnyResponse]:
    """The answer to a request, from a plugin or from the transport."""
    response: AnyResponse | None = None
    if hooks.has("muxi_intercept"):
        response = yield from hooks.apply("muxi_intercept", first=True, request=request, context=context)
    if response is None:
        response = yield from _sent(request, context)
    if hooks.has("muxi_response_received"):
        response = yield from _shown(response, context, hooks)
    if isinstance(response, BufferedResponse) and response.status >= 400:
        raise _error(response, context)
    return response


def _sent(request: Request, context: Context) -> Steps[AnyResponse]:
    """The transport's answer; read to its end unless it is a stream."""
    try:
        response: Response | AsyncResponse = yield Send(request)
        if request.stream and response.status < 300:
            return response
        content: bytes = yield Read(response)
    except TimeoutError as error:
        _explain_timeout(error, request, context)
        raise
    return BufferedResponse(
        response.status, response.headers, content, reason=response.reason, http_version=response.http_version
    )


def _saved(response: AnyResponse, request: Request, context: Context) -> Steps[Answer[Any]]:
    """The answer's body, on its way to disk."""
    call = context.call
    try:
        size: int = yield Save(response, call)
    except TimeoutError as error:
        _explain_timeout(error, request, context)
        raise
    file = describe(response, os.fspath(call.into or ""), size)
    return Answer(Result(cast(dict[str, Any], file), meta=_meta({}, response.status, context)), response, context)


def _shown(response: AnyResponse, context: Context, hooks: Hooks) -> Steps[AnyResponse]:
    """The answer after the plugins have seen it: the same, or what one of them has put in its place."""
    try:
        replaced = yield from hooks.decide("muxi_response_received", response=response, context=context)
    except BaseException as error:
        if not isinstance(response, BufferedResponse) and not isinstance(error, GeneratorExit):
            yield Discard(response)
        raise
    if replaced is None:
        return response
    if not isinstance(response, BufferedResponse):
        yield Discard(response)
    return cast(BufferedResponse, replaced)


def _request(method: str, url: str, context: Context, body: Body | None) -> Request:
    """The request of one attempt, fresh each time, so that plugins never see each other's leftovers."""
    call, options = context.call, context.options
    streaming = isinstance(call, StreamCall)
    headers = Headers()
    headers["Accept"] = "text/event-stream" if streaming else "application/json"
    if call.into is not None:
        headers["Accept"] = "*/*"
    if streaming or call.into is not None:
        # A compressing proxy would hold events back until its buffer is full, and hide the length of a file.
        headers["Accept-Encoding"] = "identity"
    if body is not None and call.content is None:
        headers["Content-Type"] = "application/json"
    if call.user_id:
        headers["X-Muxi-User-ID"] = call.user_id
    for name, value in call.headers.items():
        headers[name] = value
    for name, value in options.headers:
        headers[name] = value
    return Request(method, url, headers, body, _timeouts(context, streaming), streaming or call.into is not None)


def _timeouts(context: Context, streaming: bool) -> Timeouts:
    call, options = context.call, context.options
    left = None if options.deadline is None else max(_MOMENT, options.deadline - context.elapsed)
    if isinstance(call, StreamCall):
        reader = reader_for(call.events)
        idle = reader.idle_timeout if isinstance(options.idle_timeout, str) else options.idle_timeout
        stall = reader.stall_timeout if isinstance(options.stall_timeout, str) else options.stall_timeout
        # Silence is no event either: whichever bound is shorter ends the wait.
        read = min((bound for bound in (idle, stall, left) if bound is not None), default=None)
        # A stream that may be silent for hours must still begin.
        head = options.timeout if idle is None else None
        if left is not None and head is not None:
            head = min(head, left)
        connect = options.connect_timeout if left is None else min(options.connect_timeout, left)
        return Timeouts(connect=connect, read=read, total=left, head=head)
    total = max(options.timeout, call.timeout or 0.0)
    if left is not None:
        total = min(total, left)
    return Timeouts(connect=min(options.connect_timeout, total), read=total, total=total)


def _body(call: Call[Any], context: Context) -> Body | None:
    """The content of the call's requests, the same over all attempts."""
    if isinstance(call.content, str):
        raise ValidationError("INVALID_BODY", "content= takes bytes, a path or an iterable of bytes, got a text")
    if call.content is not None:
        return as_body(call.content)
    if call.body is None:
        return None
    body = call.body
    if context.request_id and isinstance(body, dict):
        body = {**body, "request_id": context.request_id}
    return BytesBody(call.payload(body))


def _decode(response: BufferedResponse, context: Context) -> Any:
    """The data of an answer, with the envelope's rest beside it."""
    content = response.content
    if context.call.plain_text:
        return _decode_text(response)
    if not content.strip():
        return Result({}, meta=_meta({}, response.status, context))
    try:
        payload = json.loads(content)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        what = response.content_type or "no content type"
        error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), content)
        raise _as_server_error(error, f"the answer is not a JSON object ({what}): {error.message}")
    if payload.get("success") is False:
        raise _error(response, context)
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
    return Result(data, meta=_meta(envelope, response.status, context))


def _decode_text(response: BufferedResponse) -> str:
    """The text of an answer; a page of something in between is none."""
    if response.content_type == "text/plain":
        return response.content.decode("utf-8", "replace")
    error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), response.content)
    what = response.content_type or "no content type"
    raise _as_server_error(error, f"the answer is not a plain text ({what}): {error.message}")


def _meta(envelope: dict[str, Any], status: int, context: Context) -> Meta:
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


def _check_stream(response: AnyResponse) -> Steps[None]:
    """Refuse an answer that is no event stream: its silence would pass for an empty one."""
    if response.content_type == "text/event-stream":
        return
    content = response.content if isinstance(response, BufferedResponse) else (yield Read(response))
    error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), content)
    what = response.content_type or "no content type"
    raise _as_server_error(error, f"the answer is not an event stream ({what}): {error.message}")


def _as_server_error(error: MuxiError, message: str) -> ServerError:
    unexpected = ServerError("UNEXPECTED_ANSWER", message, error.status_code, error.details, error.request_id)
    unexpected.answer = error.answer
    return unexpected


def _error(response: BufferedResponse, context: Context) -> MuxiError:
    return error_from_answer(
        response.status,
        response.reason,
        tuple(response.headers.items()),
        response.content,
        response.retry_after(context.clock.time()),
    )


def _buffered(error: MuxiError) -> BufferedResponse:
    answer = error.answer
    return BufferedResponse(answer.status, answer.headers, answer.body) if answer else BufferedResponse(404)


def _complete(error: MuxiError, context: Context) -> None:
    """Add what is known of the call, once."""
    error.call = error.call or context.call.label
    error.attempts = context.attempt
    error.request_id = error.request_id or context.request_id


def _explain_timeout(error: TimeoutError, request: Request, context: Context) -> None:
    """Name the bound in the caller's words and say how to raise it."""
    deadline, bounds = context.options.deadline, request.timeouts
    if deadline is not None and deadline - context.elapsed <= _MOMENT:
        error.bound, error.code = "deadline", "DEADLINE"
        error.message = f"the call took longer than deadline = {deadline:g} s"
    elif isinstance(context.call, StreamCall) and error.bound in ("read", "head"):
        if bounds.head is not None:
            error.bound = "timeout"
        elif bounds.read == context.options.stall_timeout:
            error.bound = "stall_timeout"
        else:
            error.bound = "idle_timeout"
        error.code = "TIMEOUT" if error.bound == "timeout" else error.bound.upper()
    if hint := _HINTS.get(error.bound):
        error.message = f"{error.message}; {hint}"


def _redirected(url: str, response: AnyResponse) -> str:
    """Where a redirect leads, if that is the same origin: keys would go along to another one.

    Raises:
        ConfigurationError: it leads elsewhere.
    """
    target = urljoin(url, response.headers.get("location") or "")
    old, new = urlsplit(url), urlsplit(target)
    if _origin(old) != _origin(new):
        raise ConfigurationError(
            f"{old.scheme}://{old.netloc} redirects to {redact_text(f'{new.scheme}://{new.netloc}')}, which is not "
            "followed because the keys would go along; give the address it redirects to"
        )
    return target


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)
