"""Tracing and metrics with OpenTelemetry, in the names of its semantic conventions.

The library is loaded when the first :class:`Tracing` is constructed.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MissingExtraError
from muxi.hookspecs import hookimpl
from muxi.plugins.tracing.genai import CAPTURE_VARIABLE
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response
from muxi.transport.arguments import check_arguments

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from muxi.plugins.tracing.spans import Recorder, TracedCall

__all__ = ["Tracing", "tracing_if_usable"]

logger: logging.Logger = logging.getLogger("muxi.plugins.tracing")

#: Values of variables that mean off, and on.
_OFF = frozenset({"0", "false", "no", "off"})
_ON = frozenset({"1", "true", "yes", "on", "span_only", "span_and_event"})


@check_arguments()
class Tracing:
    """``muxi.tracing``: a span for each call, one for each attempt below it, and metrics of both.

    Every client of a program that has imported ``opentelemetry`` has one; pass your own for other settings::

        FormationClient(plugins=[Tracing(tracer_provider=provider, capture_content=True)])

    ``MUXI_TRACING=0`` in the environment, and ``disable_plugins=["muxi.tracing"]``, switch it off.

    Args:
        tracer_provider: provider of spans; OpenTelemetry's global one if None, also if that is set later.
        meter_provider: provider of metrics; likewise.
        capture_content: whether spans contain the messages of users and agents. If None,
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` decides; without it they do not.
        propagate: whether requests carry ``traceparent`` and whatever else the global propagator adds.
        suppress_http: whether instrumentations of HTTP libraries are suppressed, which would add a second span to
            each request. Give False if a transport leads to an application in this process that needs them.

    Raises:
        ConfigurationError: OpenTelemetry is not installed; the message names the extra.
    """

    name = "muxi.tracing"

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        capture_content: bool | None = None,
        propagate: bool = True,
        suppress_http: bool = True,
    ) -> None:
        try:
            from muxi.plugins.tracing.spans import Recorder
        except ImportError as error:
            if not (error.name or "").startswith("opentelemetry"):
                raise
            raise MissingExtraError("tracing needs OpenTelemetry: pip install 'muxi-client[tracing]'") from error
        if capture_content is None:
            capture_content = os.environ.get(CAPTURE_VARIABLE, "").strip().lower() in _ON
        self._recorder: Recorder = Recorder(
            tracer_provider,
            meter_provider,
            capture_content=capture_content,
            propagate=propagate,
            suppress_http=suppress_http,
        )
        self._guard = self._recorder.guard
        self._off = _switched_off()

    def _find(self, context: Context) -> TracedCall | None:
        found: TracedCall | None = context.state.get(self.name)
        return found

    # The first to begin and the last to end, so that other plugins run inside the call's span.

    @hookimpl(tryfirst=True)
    def muxi_call_started(self, context: Context) -> None:
        if self._off:
            return
        with self._guard:
            context.state[self.name] = self._recorder.begin(context)

    # After plugins that may answer instead of the platform, whose answers are not sent; and after plugins that call a
    # vault, whose spans must not be suppressed.

    @hookimpl(trylast=True)
    def muxi_intercept(self, request: Request, context: Context) -> BufferedResponse | None:
        if traced := self._find(context):
            with self._guard:
                traced.sending(request)
        return None

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        if traced := self._find(context):
            with self._guard:
                traced.answered(response)
        return None

    @hookimpl(tryfirst=True)
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        if traced := self._find(context):
            with self._guard:
                traced.failed(error)

    @hookimpl(tryfirst=True)
    def muxi_event_received(self, event: object, context: Context) -> None:
        if traced := self._find(context):
            with self._guard:
                traced.received(event)

    @hookimpl(trylast=True)
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        if traced := self._find(context):
            with self._guard:
                traced.finished(outcome)


def tracing_if_usable() -> list[Tracing]:
    """Return the default tracing plugin, unless it is switched off or OpenTelemetry does not work."""
    if _switched_off():
        return []
    try:
        return [Tracing()]
    except ConfigurationError:
        return []  # another module of that name
    except Exception:
        logger.warning("OpenTelemetry cannot be used, so calls are not traced", exc_info=True)
        return []


def _switched_off() -> bool:
    return os.environ.get("MUXI_TRACING", "").strip().lower() in _OFF
