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

__all__ = ["Recorder", "RecordingGuard", "TracedCall"]

logger: logging.Logger = logging.getLogger("muxi.plugins.tracing")

# Context keys that suppress instrumentations. The API has no public name for the first two; older instrumentations
# use the third.
_SUPPRESS = getattr(contexts, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_SUPPRESS_HTTP = getattr(contexts, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_SUPPRESS_PLAIN = "suppress_instrumentation"

#: Number of frames while a call is in progress and nothing is being sent: its span.
_CALL = 1


class RecordingGuard:
    """A context manager that keeps failures of the recording from the recorded call. The first one is logged."""

    def __init__(self) -> None:
        self._logged = False

    def __enter__(self) -> None:
        """Enter; nothing to do."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._logged:
            self._logged = True
            logger.warning("recording failed; calls continue, and further failures are not logged", exc_info=error)
        return True


class Recorder:
    """The recorder of a client's calls; its arguments are those of :class:`muxi.plugins.Tracing`."""

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
        self.guard: RecordingGuard = RecordingGuard()

    def begin(self, context: Context) -> TracedCall | None:
        """Begin to record a call; None if the program suppresses it (``suppress_instrumentation()``)."""
        if contexts.get_value(_SUPPRESS) or contexts.get_value(_SUPPRESS_PLAIN):
            return None
        return TracedCall(self, context)


class _Frames:
    """The stack of contexts that were attached as OpenTelemetry's current one.

    The previous context is attached again, rather than detached by token: a stream can end in another task than it
    began in, where the token is invalid. Contexts that other code has attached on top stay.
    """

    def __init__(self) -> None:
        self._frames: list[tuple[Current, Current]] = []

    def push(self, current: Current) -> None:
        self._frames.append((current, contexts.get_current()))
        contexts.attach(current)

    def keep(self, number: int) -> None:
        """Remove the frames above the first ``number``."""
        while len(self._frames) > number:
            current, before = self._frames.pop()
            if contexts.get_current() is current:
                contexts.attach(before)

    def __len__(self) -> int:
        return len(self._frames)


class _TracedRequest:
    """One request: its span, and the attributes of its metrics."""

    def __init__(self, span: Span, metrics: Metrics, active: Attributes, shared: Attributes, clock: Clock) -> None:
        self.span = span
        self._metrics = metrics
        self._active = active
        self._shared = shared
        self._clock = clock
        self._started = clock.monotonic()
        metrics.request_started(active)

    def answered(self, status: int, version: str) -> None:
        """Record the head of an answer."""
        found = names.response_attributes(status, version)
        self._shared.update(found)
        self.span.set_attributes(found)
        if status >= 400:
            self.span.set_status(Status(StatusCode.ERROR))

    def end(self, error: BaseException | None, guard: RecordingGuard) -> None:
        """End the span; an error counts if it is a failure of HTTP."""
        with guard:
            self._metrics.request_ended(self._active)
        with guard:
            if error is not None and names.is_transport_failure(error):
                self._shared[names.ERROR_TYPE] = names.error_type(error)
                _mark(self.span, error)
            self._metrics.request_took(self._clock.monotonic() - self._started, self._shared)
        with guard:
            self.span.end(_now(self._clock))


class TracedCall:
    """One recorded call, from its first hook to its last.

    While the call is in progress its span is the current one, for logs and for other plugins; while a request is
    sent, the span of the attempt. While a stream is open, neither is.
    """

    def __init__(self, recorder: Recorder, context: Context) -> None:
        self._recorder = recorder
        self._context = context
        self._frames = _Frames()
        self._attempt: _TracedRequest | None = None
        self._sent = 0
        self._failure: BaseException | None = None
        self._events = 0
        call = context.call
        self._streaming = isinstance(call, StreamCall)
        self._agents = genai.is_agent_call(call)
        self._reply = genai.AgentReply(keep_content=recorder.capture_content) if self._agents else None
        self._server: Attributes = {**names.server_of(context.url)}
        self._template = names.template_of(call.path, context.address)
        self._attributes = self._describe()
        self.span: Span = recorder.tracer.start_span(
            genai.span_name(call) if self._agents else f"muxi.{call.operation or 'call'}",
            # A remote agent's is a client's by the GenAI conventions; other calls only hold those of their attempts.
            kind=SpanKind.CLIENT if self._agents else SpanKind.INTERNAL,
            attributes=self._attributes,
            start_time=_now(context.clock),
        )
        self._inside = set_span_in_context(self.span)
        self._frames.push(self._inside)

    def _describe(self) -> Attributes:
        context, call = self._context, self._context.call
        found: Attributes = {names.OPERATION: call.operation or call.label, **self._server}
        if formation := names.formation_of(context.address):
            found[names.FORMATION] = formation
        if self._agents:
            found |= genai.request_attributes(call)
        return found

    # -- attempts ----------------------------------------------------------------------------------------------

    def sending(self, request: Request) -> None:
        """Record a request that is about to be sent."""
        recorder, context = self._recorder, self._context
        self._end_attempt(None)
        if len(self._frames) < _CALL:  # a stream that was not answered, and is opened again
            self._frames.push(self._inside)
        if self._failure is not None:
            with recorder.guard:
                recorder.metrics.repeated(
                    {
                        names.OPERATION: self._attributes[names.OPERATION],
                        names.ERROR_TYPE: names.error_type(self._failure),
                    }
                )
            self._failure = None
        method = names.method_of(request.method)
        active: Attributes = {names.REQUEST_METHOD: method[names.REQUEST_METHOD], **names.server_of(request.url)}
        shared = dict(active)
        if request.url.partition("?")[0] == context.url.partition("?")[0]:  # and not where a redirect leads
            shared[names.URL_TEMPLATE] = self._template
        attributes: Attributes = {**shared, **method, names.URL_FULL: names.redacted_url(request.url)}
        if self._agents and recorder.capture_content and not self._sent:
            with recorder.guard:
                self.span.set_attribute(genai.INPUT_MESSAGES, genai.input_messages(request))
        if self._sent:
            attributes[names.RESEND_COUNT] = self._sent
        self._sent += 1
        span = recorder.tracer.start_span(
            names.span_name(method, shared),
            context=self._inside,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=_now(context.clock),
        )
        self._attempt = _TracedRequest(span, recorder.metrics, active, shared, context.clock)
        current = set_span_in_context(span)
        if recorder.propagate:
            with recorder.guard:
                propagate.inject(request.headers, current)
        if recorder.suppress_http:
            for key in _suppression_keys():
                current = contexts.set_value(key, True, current)
        self._frames.push(current)

    def answered(self, response: AnyResponse) -> None:
        """Record an answer: a whole one, or the head of a stream."""
        # While a stream is open the caller's code runs, in which no span of ours may be current.
        self._frames.keep(0 if self._streaming and response.status < 300 else _CALL)
        if self._attempt is None:
            return  # answered by a plugin, not sent
        with self._recorder.guard:
            self._attempt.answered(response.status, response.http_version)
        if isinstance(response, BufferedResponse):
            self._end_attempt(None)

    def failed(self, error: BaseException) -> None:
        """Record a failed attempt; another may follow."""
        self._failure = error
        self._end_attempt(error)

    def _end_attempt(self, error: BaseException | None) -> None:
        self._frames.keep(_CALL)
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.end(error, self._recorder.guard)

    # -- streams and the end -----------------------------------------------------------------------------------

    def received(self, event: object) -> None:
        """Record an event of the stream."""
        self._events += 1
        if self._events == 1:
            self._begin_stream()
        if self._reply is not None:
            self._reply.add_event(event)

    def _begin_stream(self) -> None:
        context, metrics = self._context, self._recorder.metrics
        self._frames.keep(0)  # if a plugin has replaced the answer by a stream
        seconds = context.elapsed
        if self._attempt is not None:
            self._attempt.span.add_event(names.FIRST_EVENT, timestamp=_now(context.clock))
        self.span.set_attribute(names.TIME_TO_FIRST_EVENT, seconds)
        if self._agents:
            self.span.set_attribute(genai.TIME_TO_FIRST_CHUNK, seconds)
            metrics.agents_spoke(seconds, {**genai.metric_attributes(), **self._server})

    def finished(self, outcome: Outcome) -> None:
        """Record the end of the call."""
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
            self.span.set_attributes(self._final_attributes(outcome, ending))
            if error is not None:
                _mark(self.span, error)
        if self._agents:
            with guard:
                attributes: Attributes = {**genai.metric_attributes(), **self._server}
                if error is not None:
                    attributes[names.ERROR_TYPE] = names.error_type(error)
                self._recorder.metrics.agents_took(context.elapsed, attributes)
        with guard:
            self.span.end(_now(context.clock))

    def _final_attributes(self, outcome: Outcome, ending: str) -> Attributes:
        found: Attributes = {names.ATTEMPTS: self._context.attempt}
        if request_id := _request_id(outcome, self._context):
            found[names.REQUEST_ID] = request_id
        if self._streaming:
            found |= {names.STREAM_EVENTS: self._events, names.STREAM_END: ending}
        if self._reply is not None:
            self._reply.add_result(outcome.result)
            reasons = {"complete": "stop", "left": "cancelled", "error": "error"}
            answer = self._reply.attributes(reasons[ending])
            found |= {name: value for name, value in answer.items() if name not in self._attributes}
        return found


def _suppression_keys() -> tuple[str, ...]:
    """Return the context keys that suppress the instrumentations of HTTP libraries."""
    aiohttp = sys.modules.get("opentelemetry.instrumentation.aiohttp_client")
    if aiohttp is None or hasattr(aiohttp, "is_http_instrumentation_enabled"):
        return (_SUPPRESS_HTTP,)
    return _SUPPRESS_HTTP, _SUPPRESS  # aiohttp's, before 0.60, knows no other


def _check(argument: str, given: object, wanted: type) -> None:
    if given is not None and not isinstance(given, wanted):
        raise ConfigurationError(f"{argument}= takes an opentelemetry {wanted.__name__}, got {type(given).__name__}")


def _request_id(outcome: Outcome, context: Context) -> str | None:
    """Return the platform's id of the call."""
    found: Any = None
    if isinstance(outcome.error, MuxiError):
        found = outcome.error.request_id
    elif isinstance(outcome.result, Result):
        found = outcome.result.meta.request_id
    return found or context.request_id


def _mark(span: Span, error: BaseException) -> None:
    """Mark a span as failed, with class and code of the error, and never with its message, which may quote a user."""
    code = names.error_code(error)
    span.set_attribute(names.ERROR_TYPE, names.error_type(error))
    if code:
        span.set_attribute(names.ERROR_CODE, code)
    span.set_status(Status(StatusCode.ERROR, code))


def _now(clock: Clock) -> int:
    """Return the client's time in nanoseconds; spans follow a simulated clock too."""
    return int(clock.time() * 1e9)
