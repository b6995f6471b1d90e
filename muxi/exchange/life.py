"""The life of one call, written once and without I/O.

:func:`exchange` is a generator. It yields effects (:mod:`muxi.exchange.steps`) and is sent the outcome of each; a
driver of each colour (:mod:`muxi.exchange.drivers`) performs them.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar, cast

from muxi.call import Call
from muxi.context import Context, Outcome, Stop
from muxi.errors import (
    ConfigurationError,
    ConnectionError,
    ErrorAnswer,
    MuxiError,
    ServerError,
    TimeoutError,
    ValidationError,
    error_from_answer,
)
from muxi.exchange.identifiers import random_id
from muxi.exchange.incoming import (
    answer_behind,
    check_status,
    complete,
    decode,
    explain_timeout,
    meta_of,
    redirected,
    unexpected,
)
from muxi.exchange.outgoing import (
    attempt_timeout,
    body_of,
    check_by_hand,
    check_events,
    check_limits,
    check_user,
    keep_deadline,
    new_request,
)
from muxi.exchange.repeat import is_gone, is_unknown, may_repeat, repeat_of
from muxi.exchange.steps import (
    DiscardBody,
    ExchangeResult,
    ExchangeSettings,
    ExchangeSteps,
    ReadResponse,
    SaveBody,
    SendRequest,
    Sleep,
)
from muxi.hooks import Hooks
from muxi.redact import keys_in, redact_text
from muxi.result import Result, meta
from muxi.streaming.call import StreamCall
from muxi.transport import AnyResponse, AsyncResponse, Body, BufferedResponse, Request, Response
from muxi.transport.causes import hide_secrets

__all__ = ["begin", "check_answer", "exchange", "finish", "run_call"]

T = TypeVar("T")

#: Redirects within one origin that are followed before giving up.
MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def exchange(call: Call[T], settings: ExchangeSettings) -> ExchangeSteps[ExchangeResult[T]]:
    """Run one call: validate, prepare, send, classify, retry, decode, with the hooks in between.

    A stream's exchange ends when its head has arrived; its ``muxi_call_finished`` is left to the stream.

    Raises:
        MuxiError: the call failed; the error names the call, the status, the code and the request id.
    """
    return (yield from run_call(begin(call, settings), settings))


def run_call(context: Context, settings: ExchangeSettings) -> ExchangeSteps[ExchangeResult[Any]]:
    """Run a checked call from its first hook to its last."""
    call, hooks = context.call, settings.hooks
    try:
        if hooks.has("muxi_call_started"):
            yield from hooks.observe("muxi_call_started", call=call, context=context)
        answer = yield from _run_attempts(context, settings)
    except BaseException as error:
        if isinstance(error, MuxiError):
            complete(error, context)
        if not isinstance(error, GeneratorExit):
            yield from finish(hooks, context, Outcome(error=error))
        raise
    if hooks.has("muxi_call_finished") and not isinstance(call, StreamCall):
        yield from finish(hooks, context, Outcome(result=answer.data, response=answer.response))
    return answer


def finish(hooks: Hooks, context: Context, outcome: Outcome) -> ExchangeSteps[None]:
    """Call ``muxi_call_finished``."""
    yield from hooks.observe("muxi_call_finished", call=context.call, outcome=outcome, context=context)


def begin(call: Call[Any], settings: ExchangeSettings) -> Context:
    """Check a call before anything is sent, and return its context."""
    address, options, clock = settings.address, settings.options, settings.clock
    try:
        check_user(call)
        check_by_hand(call)
        if isinstance(call, StreamCall):
            check_events(call)
        if call.limits:
            check_limits(call.limits, call.query)
        url = address.base_url + call.target(proxied=address.proxied)
        context = Context(
            call=call,
            address=address,
            url=url,
            options=options,
            clock=clock,
            idempotency_key=options.idempotency_key,
            started=clock.monotonic(),
            asynchronous=settings.hooks.asynchronous,
            private=settings.private,
        )
        settings.schemas.check_request(call)
        if call.into is not None:
            from muxi.exchange.download import check_target

            check_target(call.into)
        if call.tracked and isinstance(call.body, dict):
            context.request_id = call.body.get("request_id") or random_id("req_")
        return context
    except MuxiError as error:
        error.call = call.label
        hide_secrets(error, (*call.secrets, *keys_in(options.headers.items())))
        raise
    except RecursionError:
        too_deep = ValidationError("INVALID_BODY", "the payload is nested too deeply, or contains itself")
        too_deep.call = call.label
        raise too_deep from None


def _run_attempts(context: Context, settings: ExchangeSettings) -> ExchangeSteps[ExchangeResult[Any]]:
    """Run attempts until one succeeds or may not be repeated."""
    call, hooks = context.call, settings.hooks
    body = body_of(call, context)
    unknown_before = False
    while True:
        context.attempt += 1
        try:
            answer = yield from _run_attempt(context, settings, body)
        except MuxiError as error:
            failure = error
            complete(error, context)
            if hooks.has("muxi_attempt_failed"):
                yield from hooks.observe("muxi_attempt_failed", error=error, context=context)
            if unknown_before and is_gone(repeat_of(call), error):
                return ExchangeResult(Result({}, meta=meta_of({}, 404, context)), answer_behind(error), context)
            delay = _fresh_delay(error, context, settings)
            if delay is None:
                delay = yield from _retry_delay(error, context, settings, body)
            if delay is None:
                raise
            unknown_before = unknown_before or is_unknown(error)
            if hooks.has("muxi_retry_scheduled"):
                yield from hooks.observe("muxi_retry_scheduled", delay=delay, error=error, context=context)
        else:
            mode = settings.options.validate_responses
            if mode != "off":
                check_answer(answer, settings, strict=mode == "strict")
            settings.fresh.note(call, answer.data, settings.clock.monotonic())
            return answer
        yield Sleep(delay)
        if settings.closing.begun:
            raise failure


def check_answer(answer: ExchangeResult[Any], settings: ExchangeSettings, *, strict: bool) -> None:
    """Check an answer against the schema of the call's result. A mismatch is never repeated.

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


def _fresh_delay(error: MuxiError, context: Context, settings: ExchangeSettings) -> float | None:
    """Return the seconds until another look at a request that may not be known yet, or None."""
    delay = settings.fresh.delay(context.call, error, context.attempt, settings.clock.monotonic())
    return None if delay is None or _outlasts_deadline(delay, context) else delay


def _outlasts_deadline(delay: float, context: Context) -> bool:
    deadline = context.options.deadline
    return deadline is not None and context.elapsed + delay >= deadline


def _retry_delay(
    error: MuxiError, context: Context, settings: ExchangeSettings, body: Body | None
) -> ExchangeSteps[float | None]:
    """Return the seconds until the next attempt, or None if there is none."""
    if body is not None and not body.repeatable:
        return None
    keyed = context.request is not None and bool(context.request.headers.get("x-muxi-idempotency-key"))
    if not may_repeat(repeat_of(context.call), error, keyed=keyed):
        return None
    if settings.closing.begun:
        return None
    delay = yield from settings.hooks.decide("muxi_retry_delay", outcome=Outcome(error=error), context=context)
    if delay is None or isinstance(delay, Stop):
        return None
    return None if _outlasts_deadline(delay, context) else max(0.0, float(delay))


def _run_attempt(context: Context, settings: ExchangeSettings, body: Body | None) -> ExchangeSteps[ExchangeResult[Any]]:
    """Run one attempt: prepare, send, read, classify, decode."""
    call, hooks = context.call, settings.hooks
    url, method = context.url, call.method
    streaming = isinstance(call, StreamCall)
    redirects = 0
    while True:
        request = new_request(method, url, context, body)
        context.request = request
        if hooks.has("muxi_prepare_request"):
            yield from hooks.apply("muxi_prepare_request", request=request, context=context)
        response = yield from _get_answer(request, context, settings)
        if response.status not in _REDIRECTS or not response.headers.get("location"):
            break
        if redirects == MAX_REDIRECTS:
            raise ServerError("TOO_MANY_REDIRECTS", f"more than {MAX_REDIRECTS} redirects", response.status)
        redirects += 1
        url = redirected(url, cast(BufferedResponse, response), context.secrets)
        if response.status == 303 and method != "HEAD":
            method, body = "GET", None
        if body is not None and not body.repeatable:
            raise ConfigurationError(
                f"the answer redirects to {redact_text(url)}, and the body, an iterator, cannot be sent a second time; "
                "give the address it redirects to, or a function that returns the iterator"
            )
    check_status(response, context)
    if streaming:
        yield from _check_stream(response, attempt_timeout(context), context.options.max_answer_bytes)
        return ExchangeResult(response, response, context)
    if call.into is not None:
        return (yield from _save(response, request, context))
    return ExchangeResult(decode(cast(BufferedResponse, response), context), response, context)


def _get_answer(request: Request, context: Context, settings: ExchangeSettings) -> ExchangeSteps[AnyResponse]:
    """Get the answer to a request, from a plugin or from the transport."""
    hooks = settings.hooks
    response: AnyResponse | None = None
    if hooks.has("muxi_intercept"):
        response = yield from hooks.apply("muxi_intercept", first=True, request=request, context=context)
    if response is None:
        keep_deadline(request, context)
        response = yield from _send(request, context, settings)
    if hooks.has("muxi_response_received"):
        response = yield from _notify_plugins(response, context, hooks)
    return response


def _send(request: Request, context: Context, settings: ExchangeSettings) -> ExchangeSteps[AnyResponse]:
    """Send a request by the transport, and read the answer to its end unless it is a stream."""
    try:
        response: Response | AsyncResponse = yield SendRequest(request)
        if settings.closing.connections_closed:
            yield DiscardBody(response)
            raise ConnectionError("CONNECTION_LOST", "the client was closed before the answer arrived")
        if request.stream and 200 <= response.status < 300:
            return response
        # The body of a refusal is no stream: it has to come in the time of a plain answer.
        content: bytes = yield ReadResponse(
            response, attempt_timeout(context) if request.stream else None, context.options.max_answer_bytes
        )
    except TimeoutError as error:
        explain_timeout(error, request, context)
        raise
    return BufferedResponse(
        response.status, response.headers, content, reason=response.reason, http_version=response.http_version
    )


def _save(response: AnyResponse, request: Request, context: Context) -> ExchangeSteps[ExchangeResult[Any]]:
    """Write the answer's body to the call's file."""
    from muxi.exchange.download import describe

    call = context.call
    try:
        size: int = yield SaveBody(response, call)
    except TimeoutError as error:
        explain_timeout(error, request, context)
        raise
    file = cast(dict[str, Any], describe(response, os.fspath(call.into or ""), size))
    return ExchangeResult(Result(file, meta=meta_of({}, response.status, context)), response, context)


def _notify_plugins(response: AnyResponse, context: Context, hooks: Hooks) -> ExchangeSteps[AnyResponse]:
    """Call ``muxi_response_received``, and return the answer or its replacement."""
    try:
        replaced = yield from hooks.decide("muxi_response_received", run_all=True, response=response, context=context)
    except BaseException as error:
        if not isinstance(response, BufferedResponse) and not isinstance(error, GeneratorExit):
            yield DiscardBody(response)
        raise
    if replaced is None:
        return response
    if not isinstance(response, BufferedResponse):
        yield DiscardBody(response)
    return cast(BufferedResponse, replaced)


def _check_stream(response: AnyResponse, within: float, limit: int | None) -> ExchangeSteps[None]:
    """Refuse an answer that is not an event stream; read as one, it would seem empty."""
    if response.content_type == "text/event-stream":
        return
    if isinstance(response, BufferedResponse):
        content = response.content
    else:
        content = yield ReadResponse(response, within, limit)
    error = error_from_answer(response.status, response.reason, tuple(response.headers.items()), content)
    if error.from_platform:
        raise error
    what = response.content_type or "no content type"
    raise unexpected(error, f"the answer is not an event stream ({what}): {error.message}")
