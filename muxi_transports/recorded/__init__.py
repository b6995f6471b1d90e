"""Transports that record what another transport answers in a file, and play it back without a network.

What was recorded once plays in clients of both colours, over any transport::

    client = FormationClient(transport=RecordedTransport("hello.yaml"), client_key="…", url="http://localhost:8001")
    client.chat("Hello!", user_id="ada")
"""

from __future__ import annotations

from muxi_transports.recorded.cassette import Cassette, Mode
from muxi_transports.recorded.errors import CassetteError, UnrecordedRequest
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse
from muxi_transports.recorded.matching import Match, Matcher
from muxi_transports.recorded.scrub import Scrubber
from muxi_transports.recorded.transport import AsyncRecordedTransport, Recorded, RecordedTransport

__all__ = [
    "AsyncRecordedTransport",
    "Cassette",
    "CassetteError",
    "Chunk",
    "Exchange",
    "Match",
    "Matcher",
    "Mode",
    "Recorded",
    "RecordedError",
    "RecordedRequest",
    "RecordedResponse",
    "RecordedTransport",
    "Scrubber",
    "UnrecordedRequest",
]
