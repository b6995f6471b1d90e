"""The metrics: how long requests take, how many are under way, how often calls are repeated, how soon agents speak."""

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
    """The instruments of one client. Those of the same name are one for OpenTelemetry.

    Args:
        provider: where they come from; the global one if None, also where that is set later.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = get_meter("muxi", __version__, provider, names.SCHEMA_URL)
        self._requests = _histogram(
            meter, REQUEST_DURATION, "How long HTTP requests took, up to the end of the answer.", names.REQUEST_BUCKETS
        )
        self._active = meter.create_up_down_counter(ACTIVE_REQUESTS, "{request}", "HTTP requests under way.")
        self._retries = meter.create_counter(RETRIES, "{retry}", "Attempts beyond the first of a call.")
        self._agents = _histogram(
            meter, genai.OPERATION_DURATION, "How long agents took, with all attempts.", genai.BUCKETS
        )
        self._first_chunks = _histogram(
            meter, genai.OPERATION_TIME_TO_FIRST_CHUNK, "How long agents took to say a first thing.", genai.BUCKETS
        )

    def request_started(self, attributes: Attributes) -> None:
        """One more request is under way."""
        self._active.add(1, attributes)

    def request_ended(self, attributes: Attributes) -> None:
        """One less is; the attributes are those it was started with."""
        self._active.add(-1, attributes)

    def request_took(self, seconds: float, attributes: Attributes) -> None:
        """A request has come to its end."""
        self._requests.record(seconds, attributes)

    def repeated(self, attributes: Attributes) -> None:
        """A call is sent again."""
        self._retries.add(1, attributes)

    def agents_took(self, seconds: float, attributes: Attributes) -> None:
        """A call to agents has ended."""
        self._agents.record(seconds, attributes)

    def agents_spoke(self, seconds: float, attributes: Attributes) -> None:
        """The first event of a stream has come."""
        self._first_chunks.record(seconds, attributes)


def _histogram(meter: Meter, name: str, description: str, buckets: Sequence[float]) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=buckets)
