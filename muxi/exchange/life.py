"""The life of one call, written once and without I/O.

:func:`exchange` is a generator. It yields what it wants done (:class:`Send`, :class:`Read`, :class:`Sleep`,
:class:`Save`, :class:`Discard`, :class:`muxi.hooks.Await`) and is sent the outcome; a driver of each colour in
:mod:`muxi.exchange.drivers` does it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload

from muxi.call import Call, Item, Pages, Procedure, StreamCall, Wait
from muxi.config import Address
from muxi.context import Context, Options, Outcome, Stop
from muxi.errors import (
    ConfigurationError,
    ErrorAnswer,
    MuxiError,
    ServerError,
    TimeoutError,
    ValidationError,
    error_from_answer,
)
from muxi.exchange.download import check_target, describe
from muxi.exchange.identifiers import random_id
from muxi.exchange.incoming import (
    answer_behind,
    complete,
    decode,
    error_of,
    explain_timeout,
    meta_of,
    redirected,
    unexpected,
)
from muxi.exchange.outgoing import body_of, check_events, check_limits, check_user, keep_deadline, new_request
from muxi.exchange.repeat import is_gone, is_unknown, may_repeat, repeat_of
from muxi.hooks import Await, Hooks
from muxi.redact import redact_text
from muxi.result import Result, meta
from muxi.schemas import SchemaRegistry
from muxi.transport import AnyResponse, AsyncResponse, Body, BufferedResponse, Request, Response

__all__ = ["Answer", "Discard", "Effect", "ItemSteps", "Read", "Send", "Sleep", "Steps", "exchange", "finish", "follow"]

T = TypeVar("T")

#: Redirects within one origin that are followed before giving up.
MAX_REDIRECTS = 5

#: What code meets that takes an answer for what it is not.
_STUMBLES = (AttributeError, LookupError, TypeError)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
            complete(error, context)
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
    except _STUMBLES:
        # Steps trust the answers they get; where the last one cannot be trusted, that is what has gone wrong.
        if last is not None and last.data is not None:
            _check_answer(last, settings, strict=True)
        raise
    finally:
        steps.close()


def _failed(error: MuxiError, context: Context) -> Answer[Any] | None:
    """The answer behind an error, which a procedure may take for a good one."""
    return Answer(None, answer_behind(error), context) if error.answer else None


def _begin(call: Call[Any], settings: Settings) -> Context:
    """Check the call as far as that is possible without sending it."""
    address, options, clock = settings.address, settings.options, settings.clock
    try:
        check_user(call)
        if isinstance(call, StreamCall):
            check_events(call)
        url = address.base_url + call.target(proxied=address.proxied)
        context = Context(
            call=call,
            address=address,
            url=url,
            options=options,
            clock=clock,
            idempotency_key=options.idempotency_key or None,
            started=clock.monotonic(),
            asynchronous=settings.hooks.asynchronous,
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


def _attempts(context: Context, settings: Settings) -> Steps[Answer[Any]]:
    """Attempt after attempt until there is an answer, or an error that stands."""
    call, hooks = context.call, settings.hooks
    body = body_of(call, context)
    unknown_before = False
    while True:
        context.attempt += 1
        try:
            answer = yield from _attempt(context, settings, body)
        except MuxiError as error:
            complete(error, context)
            if hooks.has("muxi_attempt_failed"):
                yield from hooks.observe("muxi_attempt_failed", error=error, context=context)
            if unknown_before and is_gone(repeat_of(call), error):
                return Answer(Result({}, meta=meta_of({}, 404, context)), answer_behind(error), context)
            delay = yield from _delay(error, context, settings, body)
            if delay is None:
                raise
            unknown_before = unknown_before or is_unknown(error)
            if hooks.has("muxi_retry_scheduled"):
                yield from hooks.observe("muxi_retry_scheduled", delay=delay, error=error, context=context)
        else:
            mode = settings.options.validate_responses
            if mode != "off":
                _check_answer(answer, settings, strict=mode == "strict")
            return answer
        yield Sleep(delay)


def _check_answer(answer: Answer[Any], settings: Settings, *, strict: bool) -> None:
    """Look whether the answer is what the call returns. It has come, so that no repetition would better it.

    Raises:
        ValidationError: it is not, and ``strict`` is wanted; the error has the answer.
    """
    call = answer.context.call
    if call.into is not None or isinstance(call, StreamCall):
        return
    try:
        settings.schemas.check_response(call, answer.data, strict=strict)
    except ValidationError as error:
        response = cast(BufferedResponse, answer.response)
        error.status_code = response.status
        error.answer = ErrorAnswer(response.status, tuple(response.headers.items()), response.content)
        if isinstance(answer.data, Result):
            error.request_id = meta(answer.data).request_id
        complete(error, answer.context)
        raise


def _delay(error: MuxiError, context: Context, settings: Settings, body: Body | None) -> Steps[float | None]:
    """Seconds until the next attempt; None where there is none."""
    if body is not None and not body.repeatable:
        return None
    keyed = context.request is not None and bool(context.request.headers.get("x-muxi-idempotency-key"))
    if not may_repeat(repeat_of(context.call), error, keyed=keyed):
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
        request = new_request(method, url, context, body)
        context.request = request
        if hooks.has("muxi_prepare_request"):
            yield from hooks.apply("muxi_prepare_request", request=request, context=context)
        response = yield from _answer(request, context, hooks)
        if response.status not in _REDIRECTS or not response.headers.get("location"):
            break
        if redirects == MAX_REDIRECTS:
            raise ServerError("TOO_MANY_REDIRECTS", f"more than {MAX_REDIRECTS} redirects", response.status)
        redirects += 1
        url = redirected(url, response)
        if response.status == 303 and method != "HEAD":
            method, body = "GET", None
        if body is not None and not body.repeatable:
            raise ConfigurationError(
                f"the answer redirects to {redact_text(url)}, and the body, an iterator, cannot be sent a second time; "
                "give the address it redirects to, or a function that returns the iterator"
            )
    if response.status >= 300:
        raise error_of(cast(BufferedResponse, response), context)
    if streaming:
        yield from _check_stream(response)
        return Answer(response, response, context)
    if call.into is not None:
        return (yield from _saved(response, request, context))
    return Answer(decode(cast(BufferedResponse, response), context), response, context)


def _answer(request: Request, context: Context, hooks: Hooks) -> Steps[AnyResponse]:
    """The answer to a request, from a plugin or from the transport."""
    response: AnyResponse | None = None
    if hooks.has("muxi_intercept"):
        response = yield from hooks.apply("muxi_intercept", first=True, request=request, context=context)
    if response is None:
        keep_deadline(request, context)
        response = yield from _sent(request, context)
    if hooks.has("muxi_response_received"):
        response = yield from _shown(response, context, hooks)
    if isinstance(response, BufferedResponse) and response.status >= 400:
        raise error_of(response, context)
    return response


def _sent(request: Request, context: Context) -> Steps[AnyResponse]:
    """The transport's answer; read to its end unless it is a stream."""
    try:
        response: Response | AsyncResponse = yield Send(request)
        if request.stream and response.status < 300:
            return response
        content: bytes = yield Read(response)
    except TimeoutError as error:
        explain_timeout(error, request, context)
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
        explain_timeout(error, request, context)
        raise
    file = describe(response, os.fspath(call.into or ""), size)
    return Answer(Result(cast(dict[str, Any], file), meta=meta_of({}, response.status, context)), response, context)


def _shown(response: AnyResponse, context: Context, hooks: Hooks) -> Steps[AnyResponse]:
    """The answer after the plugins have seen it: the same, or what one of them has put in its place."""
    try:
        replaced = yield from hooks.decide("muxi_response_received", everybody=True, response=response, context=context)
    except BaseException as error:
        if not isinstance(response, BufferedResponse) and not isinstance(error, GeneratorExit):
            yield Discard(response)
        raise
    if replaced is None:
        return response
    if not isinstance(response, BufferedResponse):
        yield Discard(response)
    return cast(BufferedResponse, replaced)


def _check_stream(response: AnyResponse) -> Steps[None]:
    """Refuse an answer that is no event stream: its silence would pass for an empty one."""
    if response.content_type == "text/event-stream":
        return
    content = response.content if isinstance(response, BufferedResponse) else (yield Read(response))
    error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), content)
    what = response.content_type or "no content type"
    raise unexpected(error, f"the answer is not an event stream ({what}): {error.message}")
