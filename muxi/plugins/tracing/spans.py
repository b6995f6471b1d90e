"""The spans of one call: one for all of it, and below that one for each request that is sent."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import propagate
from opentelemetry.context import Context as Current
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from muxi.clock import Clock
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.plugins.tracing import genai, names
from muxi.plugins.tracing.metrics import Metrics
from muxi.plugins.tracing.names import Attributes
from muxi.result import Result
from muxi.streaming.call import StreamCall
from muxi.transport import AnyResponse, BufferedResponse, Request
from muxi.version import __version__

__all__ = ["Guard", "Recorder", "TracedCall"]

logger: logging.Logger = logging.getLogger("muxi.plugins.tracing")

# By these keys instrumentations agree on who is to be quiet. The API has the first two since long, and no public
# name for them; the third is what older instrumentations set.
_QUIET = getattr(contexts, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_QUIET_HTTP = getattr(contexts, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_QUIET_PLAIN = "suppress_instrumentation"

#: How much is current while a call is at work and nothing is being sent: its span.
_CALL = 1


class Guard:
    """Keeps what goes wrong in recording from the call that is recorded. The first failure is logged, once."""

    def __init__(self) -> None:
        self._logged = False

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._logged:
            self._logged = True
            logger.warning("recording failed; calls go on, and this is said once", exc_info=error)
        return True


class Recorder:
    """What all calls of a client are recorded with; takes what :class:`muxi.plugins.Tracing` takes."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        *,
        capture_content: bool,
        propagate: bool,
        suppress_http: bool,
    ) -> None:
        _check("tracer_provider", tracer_provider, TracerProvider)
        _check("meter_provider", meter_provider, MeterProvider)
        self.tracer: Tracer = get_tracer("muxi", __version__, tracer_provider, names.SCHEMA_URL)
        self.metrics: Metrics = Metrics(meter_provider)
        self.capture_content = capture_content
        self.propagate = propagate
        self.suppress_http = suppress_http
        self.guard: Guard = Guard()

    def begin(self, context: Context) -> TracedCall | None:
        """Begin to record a call; None where the program wants nothing recorded (``suppress_instrumentation()``)."""
        if contexts.get_value(_QUIET) or contexts.get_value(_QUIET_PLAIN):
            return None
        return TracedCall(self, context)


class _Frames:
    """What has been made OpenTelemetry's current context, and what was so before.

    Put back by hand and not by token: a stream can end in another task than it began in, where a token has no
    value. What somebody else has put on top stays.
    """

    def __init__(self) -> None:
        self._frames: list[tuple[Current, Current]] = []

    def push(self, current: Current) -> None:
        self._frames.append((current, contexts.get_current()))
        contexts.attach(current)

    def keep(self, number: int) -> None:
        """Take off what is above the first so many."""
        while len(self._frames) > number:
            current, before = self._frames.pop()
            if contexts.get_current() is current:
                contexts.attach(before)

    def __len__(self) -> int:
        return len(self._frames)


class _Attempt:
    """One request on its way: its span, and what metrics tell it apart by."""

    def __init__(self, span: Span, metrics: Metrics, active: Attributes, shared: Attributes, clock: Clock) -> None:
        self.span = span
        self._metrics = metrics
        self._active = active
        self._shared = shared
        self._clock = clock
        self._started = clock.monotonic()
        metrics.request_started(active)

    def answered(self, status: int, version: str) -> None:
        """The head of an answer has come."""
        found = names.response_attributes(status, version)
        self._shared.update(found)
        self.span.set_attributes(found)
        if status >= 400:
            self.span.set_status(Status(StatusCode.ERROR))

    def end(self, error: BaseException | None, guard: Guard) -> None:
        """It is over; an error counts where it is one of HTTP."""
        with guard:
            self._metrics.request_ended(self._active)
        with guard:
            if error is not None and names.broke_the_exchange(error):
                self._shared[names.ERROR_TYPE] = names.error_type(error)
                _mark(self.span, error)
            self._metrics.request_took(self._clock.monotonic() - self._started, self._shared)
        with guard:
            self.span.end(_now(self._clock))


class TracedCall:
    """One call that is being recorded, from its first hook to its last.

    While it is at work its span is the current one, for the log and for what other plugins do; while a request is
    sent, that of the attempt. A stream that is open leaves nothing current behind.
    """

    def __init__(self, recorder: Recorder, context: Context) -> None:
        self._recorder = recorder
        self._context = context
        self._frames = _Frames()
        self._attempt: _Attempt | None = None
        self._sent = 0
        self._failure: BaseException | None = None
        self._events = 0
        call = context.call
        self._streaming = isinstance(call, StreamCall)
        self._agents = genai.is_agent_call(call)
        self._reply = genai.Reply(keep_content=recorder.capture_content) if self._agents else None
        self._server: Attributes = {**names.server_of(context.url)}
        self._template = names.template_of(call.path, context.address)
        self._known = self._described()
        self.span: Span = recorder.tracer.start_span(
            genai.span_name(call) if self._agents else f"muxi.{call.operation or 'call'}",
            kind=SpanKind.INTERNAL,
            attributes=self._known,
            start_time=_now(context.clock),
        )
        self._inside = set_span_in_context(self.span)
        self._frames.push(self._inside)

    def _described(self) -> Attributes:
        context, call = self._context, self._context.call
        found: Attributes = {names.OPERATION: call.operation or call.label, **self._server}
        if formation := names.formation_of(context.address):
            found[names.FORMATION] = formation
        if self._agents:
            found |= genai.request_attributes(call)
        return found

    # -- attempts ----------------------------------------------------------------------------------------------

    def sending(self, request: Request) -> None:
        """A request is about to be sent."""
        recorder, context = self._recorder, self._context
        self._end_attempt(None)
        if len(self._frames) < _CALL:  # a stream whose answer was none, and that is opened again
            self._frames.push(self._inside)
        if self._failure is not None:
            with recorder.guard:
                recorder.metrics.repeated(
                    {names.OPERATION: self._known[names.OPERATION], names.ERROR_TYPE: names.error_type(self._failure)}
                )
            self._failure = None
        method = names.method_of(request.method)
        active: Attributes = {names.REQUEST_METHOD: method[names.REQUEST_METHOD], **names.server_of(request.url)}
        shared = dict(active)
        if request.url.partition("?")[0] == context.url.partition("?")[0]:  # and not where a redirect leads
            shared[names.URL_TEMPLATE] = self._template
        told: Attributes = {**shared, **method, names.URL_FULL: names.redacted_url(request.url)}
        if self._agents and recorder.capture_content and not self._sent:
            with recorder.guard:
                self.span.set_attribute(genai.INPUT_MESSAGES, genai.input_messages(request))
        if self._sent:
            told[names.RESEND_COUNT] = self._sent
        self._sent += 1
        span = recorder.tracer.start_span(
            names.span_name(method, shared),
            context=self._inside,
            kind=SpanKind.CLIENT,
            attributes=told,
            start_time=_now(context.clock),
        )
        self._attempt = _Attempt(span, recorder.metrics, active, shared, context.clock)
        current = set_span_in_context(span)
        if recorder.propagate:
            with recorder.guard:
                propagate.inject(request.headers, current)
        if recorder.suppress_http:
            for key in _keys_of_silence():
                current = contexts.set_value(key, True, current)
        self._frames.push(current)

    def answered(self, response: AnyResponse) -> None:
        """An answer has come: all of it, or the head of one that will be read as it arrives."""
        # With an open stream it is the caller's loop that goes on, and nothing of ours may be current there.
        self._frames.keep(0 if self._streaming and response.status < 300 else _CALL)
        if self._attempt is None:
            return  # a plugin has answered, and nothing was sent
        with self._recorder.guard:
            self._attempt.answered(response.status, response.http_version)
        if isinstance(response, BufferedResponse):
            self._end_attempt(None)

    def failed(self, error: BaseException) -> None:
        """An attempt has failed; another may follow."""
        self._failure = error
        self._end_attempt(error)

    def _end_attempt(self, error: BaseException | None) -> None:
        self._frames.keep(_CALL)
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.end(error, self._recorder.guard)

    # -- streams and the end -----------------------------------------------------------------------------------

    def received(self, event: object) -> None:
        """An event of the stream has come."""
        self._events += 1
        if self._events == 1:
            self._begin_stream()
        if self._reply is not None:
            self._reply.add_event(event)

    def _begin_stream(self) -> None:
        context, metrics = self._context, self._recorder.metrics
        self._frames.keep(0)  # where a plugin has put a stream in place of the answer
        seconds = context.elapsed
        if self._attempt is not None:
            self._attempt.span.add_event(names.FIRST_EVENT, timestamp=_now(context.clock))
        self.span.set_attribute(names.TIME_TO_FIRST_EVENT, seconds)
        if self._agents:
            self.span.set_attribute(genai.TIME_TO_FIRST_CHUNK, seconds)
            metrics.agents_spoke(seconds, {**genai.metric_attributes(), **self._server})

    def finished(self, outcome: Outcome) -> None:
        """The call has ended."""
        guard, context = self._recorder.guard, self._context
        error = outcome.error
        ending = "error" if error is not None else "left" if outcome.left else "complete"
        if self._streaming and self._attempt is not None and outcome.response is not None:
            with guard:
                self._attempt.span.add_event(
                    names.LAST_EVENT,
                    {names.STREAM_EVENTS: self._events, names.STREAM_END: ending},
                    timestamp=_now(context.clock),
                )
        self._end_attempt(error)
        self._frames.keep(0)
        with guard:
            self.span.set_attributes(self._concluded(outcome, ending))
            if error is not None:
                _mark(self.span, error)
        if self._agents:
            with guard:
                told: Attributes = {**genai.metric_attributes(), **self._server}
                if error is not None:
                    told[names.ERROR_TYPE] = names.error_type(error)
                self._recorder.metrics.agents_took(context.elapsed, told)
        with guard:
            self.span.end(_now(context.clock))

    def _concluded(self, outcome: Outcome, ending: str) -> Attributes:
        found: Attributes = {names.ATTEMPTS: self._context.attempt}
        if request_id := _request_id(outcome, self._context):
            found[names.REQUEST_ID] = request_id
        if self._streaming:
            found |= {names.STREAM_EVENTS: self._events, names.STREAM_END: ending}
        if self._reply is not None:
            self._reply.add_result(outcome.result)
            reasons = {"complete": "stop", "left": "cancelled", "error": "error"}
            said = self._reply.attributes(reasons[ending])
            found |= {name: value for name, value in said.items() if name not in self._known}
        return found


def _keys_of_silence() -> tuple[str, ...]:
    """By which keys the instrumentations of HTTP libraries are kept quiet."""
    aiohttp = sys.modules.get("opentelemetry.instrumentation.aiohttp_client")
    if aiohttp is None or hasattr(aiohttp, "is_http_instrumentation_enabled"):
        return (_QUIET_HTTP,)
    return _QUIET_HTTP, _QUIET  # that of aiohttp, before 0.60, knows no other


def _check(argument: str, given: object, wanted: type) -> None:
    if given is not None and not isinstance(given, wanted):
        raise ConfigurationError(f"{argument}= takes an opentelemetry {wanted.__name__}, got {type(given).__name__}")


def _request_id(outcome: Outcome, context: Context) -> str | None:
    """Under which id the platform knows the call."""
    found: Any = None
    if isinstance(outcome.error, MuxiError):
        found = outcome.error.request_id
    elif isinstance(outcome.result, Result):
        found = outcome.result.meta.request_id
    return found or context.request_id


def _mark(span: Span, error: BaseException) -> None:
    """Say that a span failed: with the class and the code, and never with words that may be a user's."""
    code = names.error_code(error)
    span.set_attribute(names.ERROR_TYPE, names.error_type(error))
    if code:
        span.set_attribute(names.ERROR_CODE, code)
    span.set_status(Status(StatusCode.ERROR, code))


def _now(clock: Clock) -> int:
    """The client's time in OpenTelemetry's nanoseconds, so that simulated time is simulated in spans too."""
    return int(clock.time() * 1e9)
