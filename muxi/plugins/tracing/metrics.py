"""The metrics: duration of requests, requests in progress, retries, and time to an agent's first event."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.metrics import Histogram, Meter, MeterProvider, get_meter

from muxi.plugins.tracing import genai, names
from muxi.plugins.tracing.names import Attributes
from muxi.version import __version__

__all__ = ["ACTIVE_REQUESTS", "REQUEST_DURATION", "RETRIES", "Metrics"]

REQUEST_DURATION = "http.client.request.duration"
ACTIVE_REQUESTS = "http.client.active_requests"
RETRIES = "muxi.client.retries"


class Metrics:
    """The instruments of one client, which OpenTelemetry joins with others of the same name.

    Args:
        provider: provider of the meter; the global one if None, also if that is set later.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = get_meter("muxi", __version__, provider, names.SCHEMA_URL)
        self._requests = _histogram(
            meter, REQUEST_DURATION, "Duration of HTTP requests, up to the end of the answer.", names.REQUEST_BUCKETS
        )
        self._active = meter.create_up_down_counter(ACTIVE_REQUESTS, "{request}", "HTTP requests in progress.")
        self._retries = meter.create_counter(RETRIES, "{retry}", "Attempts beyond the first of a call.")
        self._agents = _histogram(
            meter, genai.OPERATION_DURATION, "Duration of calls to agents, with all attempts.", genai.BUCKETS
        )
        self._first_chunks = _histogram(
            meter, genai.OPERATION_TIME_TO_FIRST_CHUNK, "Time to the first event of an agent.", genai.BUCKETS
        )

    def request_started(self, attributes: Attributes) -> None:
        """Count a request that begins."""
        self._active.add(1, attributes)

    def request_ended(self, attributes: Attributes) -> None:
        """Count a request that ends; the attributes are those of its beginning."""
        self._active.add(-1, attributes)

    def request_took(self, seconds: float, attributes: Attributes) -> None:
        """Record the duration of a request."""
        self._requests.record(seconds, attributes)

    def repeated(self, attributes: Attributes) -> None:
        """Count a retry."""
        self._retries.add(1, attributes)

    def agents_took(self, seconds: float, attributes: Attributes) -> None:
        """Record the duration of a call to agents."""
        self._agents.record(seconds, attributes)

    def agents_spoke(self, seconds: float, attributes: Attributes) -> None:
        """Record the time to the first event of a stream."""
        self._first_chunks.record(seconds, attributes)


def _histogram(meter: Meter, name: str, description: str, buckets: Sequence[float]) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=buckets)
