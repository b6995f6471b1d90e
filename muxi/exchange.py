"""The life of one call, written once and without I/O.

:func:`exchange` is a generator. It yields what it wants done (:class:`Send`, :class:`Read`, :class:`Sleep`,
:class:`Discard`, :class:`muxi.hooks.Await`) and is sent the outcome; a driver of each colour in
:mod:`muxi.client` does it.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload
from urllib.parse import urljoin, urlsplit

from muxi.call import Call, Item, Pages, Procedure, StreamCall, Wait
from muxi.config import Address
from muxi.context import Context, Options, Outcome, Stop
from muxi.errors import ConfigurationError, MuxiError, ServerError, TimeoutError, ValidationError, error_from_answer
from muxi.events import check_turn, reader_for
from muxi.hooks import Await, Hooks
from muxi.identifiers import random_id
from muxi.repeat import Repeat, may_repeat
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
}


class Send(NamedTuple):
    """Send this request; the outcome is a response whose body has not been read."""

    request: Request


class Read(NamedTuple):
    """Read the body of this response to its end; the outcome is the bytes."""

    response: Any


class Discard(NamedTuple):
    """Close this response; nothing of it is wanted."""

    response: Any


class Sleep(NamedTuple):
    """Let that many seconds pass."""

    seconds: float


Effect = Send | Read | Discard | Sleep | Await
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
    response: BufferedResponse | Response | AsyncResponse
    context: Context


def exchange(call: Call[T], settings: Settings) -> Steps[Answer[T]]:
    """Run one call: validate, prepare, send, classify, retry, decode, with the hooks in between.

    A stream's exchange ends when its head has arrived; its ``muxi_call_finished`` is left to the stream.

    Raises:
        MuxiError: the call failed; the error names the call, the status, the code and the request id.
    """
    context = _begin(call, settings)
    hooks = settings.hooks
    if hooks.has("muxi_call_started"):
        yield from hooks.observe("muxi_call_started", call=call, context=context)
    try:
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
    try:
        step = next(steps)
        while True:
            outcome: Any = None
            try:
                if isinstance(step, Call):
                    last = yield from exchange(step, settings)
                    outcome = last.data
                elif isinstance(step, Wait):
                    yield Sleep(step.seconds)
                else:
                    yield step
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as stop:
        return stop.value, last
    finally:
        steps.close()


def _begin(call: Call[Any], settings: Settings) -> Context:
    """Check the call as far as that is possible without sending it."""
    try:
        if call.user_required and not (call.user_id or "").strip():
            raise ValidationError(
                "USER_REQUIRED",
                "this needs a user: give user_id=",
                details={"validation_errors": [{"field": "user_id", "msg": "required and not empty"}]},
            )
        call.target(proxied=settings.address.proxied)
        context = Context(
            call=call,
            address=settings.address,
            options=settings.options,
            clock=settings.clock,
            idempotency_key=settings.options.idempotency_key,
            started=settings.clock.monotonic(),
        )
        if call.tracked and isinstance(call.body, dict):
            context.request_id = call.body.get("request_id") or random_id("req_")
        if call.accepts:
            settings.schemas.check_request(call)
        return context
    except MuxiError as error:
        error.call = error.call or call.label
        raise


def _attempts(context: Context, settings: Settings) -> Steps[Answer[Any]]:
    """Attempt after attempt until there is an answer, or an error that stands."""
    call, hooks = context.call, settings.hooks
    body = _body(call, context)
    died_before = False
    while True:
        context.attempt += 1
        try:
            return (yield from _attempt(context, settings, body))
        except MuxiError as error:
            _complete(error, context)
            if hooks.has("muxi_attempt_failed"):
                yield from hooks.observe("muxi_attempt_failed", error=error, context=context)
            if died_before and error.status_code == 404 and call.repeats is Repeat.REMOVAL:
                # The attempt before went through after all: what was to be removed is gone.
                return Answer(Result({}, meta=_meta({}, 404, context)), _buffered(error), context)
            delay = yield from _delay(error, context, settings, body)
            if delay is None:
                raise
            died_before = died_before or error.answer is None or error.status_code >= 500
        yield Sleep(delay)


def _delay(error: MuxiError, context: Context, settings: Settings, body: Body | None) -> Steps[float | None]:
    """Seconds until the next attempt; None where there is none."""
    if body is not None and not body.repeatable:
        return None
    keyed = context.request is not None and "x-muxi-idempotency-key" in context.request.headers
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
    return float(delay)


def _attempt(context: Context, settings: Settings, body: Body | None) -> Steps[Answer[Any]]:
    """One attempt: prepare, send, read, classify, decode."""
    call, hooks = context.call, settings.hooks
    url = settings.address.base_url + call.target(proxied=settings.address.proxied)
    method = call.method
    streaming = isinstance(call, StreamCall)
    for _ in range(MAX_REDIRECTS + 1):
        request = _request(method, url, context, body)
        context.request = request
        if hooks.has("muxi_prepare_request"):
            yield from hooks.apply("muxi_prepare_request", request=request, context=context)
        response = yield from _answer(request, context, hooks)
        if response.status not in _REDIRECTS or not response.headers.get("location"):
            break
        url = _redirected(url, response)
        if response.status == 303 and method != "HEAD":
            method, body = "GET", None
    else:
        raise ServerError("TOO_MANY_REDIRECTS", f"more than {MAX_REDIRECTS} redirects", response.status)
    if response.status >= 300:
        raise _error(cast(BufferedResponse, response), context)
    if streaming:
        yield from _check_stream(response)
        return Answer(response, response, context)
    return Answer(_decode(cast(BufferedResponse, response), context), response, context)


def _answer(request: Request, context: Context, hooks: Hooks) -> Steps[BufferedResponse | Response | AsyncResponse]:
    """The answer to a request, from a plugin or from the transport; read to its end unless it is a stream."""
    response: BufferedResponse | Response | AsyncResponse | None = None
    if hooks.has("muxi_intercept"):
        response = yield from hooks.apply("muxi_intercept", first=True, request=request, context=context)
    if response is None:
        try:
            response = cast("Response | AsyncResponse", (yield Send(request)))
            if not request.stream or response.status >= 300:
                content = yield Read(response)
                response = BufferedResponse(
                    response.status,
                    response.headers,
                    content,
                    reason=response.reason,
                    http_version=response.http_version,
                )
        except TimeoutError as error:
            _explain_timeout(error, request, context)
            raise
    if hooks.has("muxi_response_received"):
        replaced = yield from hooks.decide("muxi_response_received", response=response, context=context)
        if replaced is not None:
            if not isinstance(response, BufferedResponse):
                yield Discard(response)
            response = replaced
    if response.status >= 400:
        if not isinstance(response, BufferedResponse):
            raise ServerError("UNREAD_ERROR", "a plugin answered with an error that has no content", response.status)
        raise _error(response, context)
    return response


def _request(method: str, url: str, context: Context, body: Body | None) -> Request:
    """The request of one attempt, fresh each time, so that plugins never see each other's leftovers."""
    call, options = context.call, context.options
    streaming = isinstance(call, StreamCall)
    headers = Headers()
    headers["Accept"] = "text/event-stream" if streaming else "application/json"
    if streaming:
        # A compressing proxy would hold events back until its buffer is full.
        headers["Accept-Encoding"] = "identity"
    if body is not None and call.content is None:
        headers["Content-Type"] = "application/json"
    if call.user_id:
        headers["X-Muxi-User-ID"] = call.user_id
    for name, value in call.headers.items():
        headers[name] = value
    for name, value in options.headers:
        headers[name] = value
    return Request(method, url, headers, body, _timeouts(context, streaming), streaming)


def _timeouts(context: Context, streaming: bool) -> Timeouts:
    call, options = context.call, context.options
    left = None if options.deadline is None else max(0.001, options.deadline - context.elapsed)
    if isinstance(call, StreamCall):
        reader = reader_for(call.events)
        idle = reader.idle_timeout if isinstance(options.idle_timeout, str) else options.idle_timeout
        stall = reader.stall_timeout if isinstance(options.stall_timeout, str) else options.stall_timeout
        # Silence is no event either: whichever bound is shorter ends the wait.
        read = min((bound for bound in (idle, stall, left) if bound is not None), default=None)
        connect = options.connect_timeout if left is None else min(options.connect_timeout, left)
        return Timeouts(connect=connect, read=read)
    total = max(options.timeout, call.timeout or 0.0)
    if left is not None:
        total = min(total, left)
    return Timeouts(connect=min(options.connect_timeout, total), read=total, total=total)


def _body(call: Call[Any], context: Context) -> Body | None:
    """The content of the call's requests, the same over all attempts."""
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
    return Result(data, meta=_meta(envelope, response.status, context))


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


def _check_stream(response: BufferedResponse | Response | AsyncResponse) -> Steps[None]:
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
    deadline = context.options.deadline
    if deadline is not None and context.elapsed >= deadline:
        error.bound, error.code = "deadline", "DEADLINE"
        error.message = f"the call took longer than deadline = {deadline:g} s"
    elif request.stream and error.bound == "read":
        error.bound, error.code = "idle_timeout", "IDLE_TIMEOUT"
    if hint := _HINTS.get(error.bound):
        error.message = f"{error.message}; {hint}"


def _redirected(url: str, response: BufferedResponse | Response | AsyncResponse) -> str:
    """Where a redirect leads, if that is the same origin: keys would go along to another one.

    Raises:
        ConfigurationError: it leads elsewhere.
    """
    target = urljoin(url, response.headers.get("location") or "")
    old, new = urlsplit(url), urlsplit(target)
    if (old.scheme, old.hostname, old.port) != (new.scheme, new.hostname, new.port):
        raise ConfigurationError(
            f"{old.scheme}://{old.netloc} redirects to {new.scheme}://{new.netloc}, which is not followed because the "
            "keys would go along; give the address it redirects to"
        )
    return target
