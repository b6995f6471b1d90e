"""Metrics for Prometheus: calls, attempts, retries and streams, by operation and route, never by id or user."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from muxi.call import Call
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MissingExtraError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_name, check_number
from muxi.plugins.lease import Lease
from muxi.redact import show_value
from muxi.transport import AsyncResponse, BufferedResponse, Response

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
except ImportError as _missing:
    raise MissingExtraError(
        f"metrics need prometheus-client, which cannot be imported ({_missing}): pip install 'muxi-client[prometheus]'"
    ) from _missing

__all__ = ["Prometheus"]

#: Bounds in seconds, from a cached answer (milliseconds) to an agent's turn (minutes).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Prometheus:
    """``muxi.prometheus``: metrics of calls, attempts and streams.

    Instances with the same registry and namespace share their metrics, so each client may have its own
    instance. The metrics, with the namespace in front:

    * ``calls_total`` by ``operation`` and ``outcome`` (``ok``, or the class of the error),
    * ``call_duration_seconds`` by ``operation``, of a stream to its end,
    * ``calls_in_flight`` and ``retries_total`` by ``operation``,
    * ``attempts_total`` by ``method``, ``route`` and ``status`` (of HTTP, or the class of the error), and
      ``attempt_duration_seconds`` by ``method`` and ``route``, of a stream to its head: requests that were sent, not
      calls that a cache answered or a limit refused,
    * ``stream_first_event_seconds`` and ``stream_events_total`` by ``operation``.

    Args:
        registry: registry of the metrics; ``prometheus_client.REGISTRY`` if None.
        namespace: prefix of the names of the metrics.
        buckets: upper bounds of all histograms, in seconds.
        name: name of the plugin.

    Raises:
        ConfigurationError: an argument is invalid, or the registry has other metrics of these names.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        namespace: str = "muxi",
        *,
        buckets: Sequence[float] = BUCKETS,
        name: str = "muxi.prometheus",
    ) -> None:
        if registry is not None and not isinstance(registry, CollectorRegistry):
            raise ConfigurationError(f"registry= takes a CollectorRegistry, got {type(registry).__name__}")
        given: object = namespace
        if not isinstance(given, str) or not (namespace.isascii() and namespace.isidentifier()):
            raise ConfigurationError(f"namespace= takes a text of letters, digits and '_', got {show_value(namespace)}")
        check_name(name)
        several: object = buckets
        if not isinstance(several, Sequence) or isinstance(several, str):
            raise ConfigurationError(f"buckets= takes numbers of seconds in ascending order, got {show_value(buckets)}")
        bounds = tuple(buckets)
        for bound in bounds:
            check_number("buckets", bound)
        if not bounds or sorted(set(bounds)) != list(bounds):
            raise ConfigurationError(f"buckets= takes numbers of seconds in ascending order, got {show_value(bounds)}")
        self.name: str = name
        self._metrics = _metrics_of(REGISTRY if registry is None else registry, namespace, bounds)

    @hookimpl(tryfirst=True)
    def muxi_call_started(self, call: Call[object], context: Context) -> None:
        in_flight = self._metrics.in_flight.labels(_operation(call))
        in_flight.inc()
        context.state[self.name] = _Tally(Lease(in_flight.dec))

    # After all other plugins: their waits do not count, and their answers were not sent.
    @hookimpl(trylast=True)
    def muxi_intercept(self, context: Context) -> None:
        tally: _Tally | None = context.state.get(self.name)
        if tally is None:
            return
        if context.attempt > max(1, tally.attempt):
            self._metrics.retries.labels(_operation(context.call)).inc()
        tally.attempt = context.attempt
        tally.sent = context.clock.monotonic()

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        self._record_attempt(context, str(response.status))
        return None

    @hookimpl(tryfirst=True)
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        self._record_attempt(context, type(error).__name__)

    @hookimpl(tryfirst=True)
    def muxi_event_received(self, context: Context) -> None:
        tally: _Tally | None = context.state.get(self.name)
        if tally is None:
            return
        if tally.events is None:
            operation = _operation(context.call)
            tally.events = self._metrics.events.labels(operation)
            self._metrics.first_event.labels(operation).observe(context.elapsed)
        tally.events.inc()

    @hookimpl(tryfirst=True)
    def muxi_call_finished(self, call: Call[object], outcome: Outcome, context: Context) -> None:
        error = outcome.error
        ended = "ok" if error is None else type(error).__name__
        # No hook reports the end of an attempt that was abandoned.
        self._record_attempt(context, str(outcome.response.status) if outcome.response else ended)
        tally: _Tally | None = context.state.pop(self.name, None)
        if tally is not None:
            tally.in_flight.end()
        operation = _operation(call)
        self._metrics.calls.labels(operation, ended).inc()
        self._metrics.duration.labels(operation).observe(context.elapsed)

    def _record_attempt(self, context: Context, status: str) -> None:
        tally: _Tally | None = context.state.get(self.name)
        if tally is None or tally.sent is None:
            return
        call = context.call
        method, route = call.method, call.path if call.operation else _CUSTOM
        self._metrics.attempts.labels(method, route, status).inc()
        self._metrics.attempt_duration.labels(method, route).observe(context.clock.monotonic() - tally.sent)
        tally.sent = None


class _Tally:
    """The state of one call."""

    __slots__ = ("attempt", "events", "in_flight", "sent")

    def __init__(self, in_flight: Lease) -> None:
        self.in_flight = in_flight
        self.attempt = 0
        #: Time at which the current request was sent, on the clock; None without one.
        self.sent: float | None = None
        self.events: Any = None


class _Metrics(NamedTuple):
    """The metrics of one registry and namespace."""

    buckets: tuple[float, ...]
    calls: Counter
    duration: Histogram
    in_flight: Gauge
    retries: Counter
    attempts: Counter
    attempt_duration: Histogram
    first_event: Histogram
    events: Counter


#: Operation and route of calls made by hand, whose paths may contain ids.
_CUSTOM = "custom"

#: Registered metrics, shared by the plugins of one registry.
_registered: WeakKeyDictionary[CollectorRegistry, dict[str, _Metrics]] = WeakKeyDictionary()
_registering = threading.Lock()
renew_after_fork(sys.modules[__name__], "_registering")


def _metrics_of(registry: CollectorRegistry, namespace: str, buckets: tuple[float, ...]) -> _Metrics:
    with _registering:
        known = _registered.setdefault(registry, {})
        if namespace not in known:
            known[namespace] = _register(registry, namespace, buckets)
        if known[namespace].buckets != buckets:
            raise ConfigurationError(
                f"the registry has metrics of the namespace {namespace!r} with other buckets; give another namespace="
            )
        return known[namespace]


def _register(registry: CollectorRegistry, namespace: str, buckets: tuple[float, ...]) -> _Metrics:
    common: dict[str, Any] = {"namespace": namespace, "registry": registry}
    operation, route = ("operation",), ("method", "route")
    made: list[Any] = []

    def add(metric: Any) -> Any:
        made.append(metric)
        return metric

    try:
        return _Metrics(
            buckets,
            add(Counter("calls", "Calls that have ended.", ("operation", "outcome"), **common)),
            add(
                Histogram(
                    "call_duration_seconds", "Seconds from a call to its end.", operation, buckets=buckets, **common
                )
            ),
            add(
                Gauge("calls_in_flight", "Calls that have not ended.", operation, multiprocess_mode="livesum", **common)
            ),
            add(Counter("retries", "Requests that were retries.", operation, **common)),
            add(Counter("attempts", "Requests that were sent, and how each ended.", (*route, "status"), **common)),
            add(
                Histogram(
                    "attempt_duration_seconds",
                    "Seconds from a request to its answer.",
                    route,
                    buckets=buckets,
                    **common,
                )
            ),
            add(
                Histogram(
                    "stream_first_event_seconds",
                    "Seconds from a call to the first event of its stream.",
                    operation,
                    buckets=buckets,
                    **common,
                )
            ),
            add(Counter("stream_events", "Events that streams have yielded.", operation, **common)),
        )
    except ValueError as error:
        for metric in made:
            registry.unregister(metric)
        raise ConfigurationError(
            f"the registry has other metrics of these names; give another namespace= than {namespace!r} ({error})"
        ) from error


def _operation(call: Call[object]) -> str:
    return call.operation or _CUSTOM
