"""The contract of transports, its values, and the base of transports that are written once for both colours."""

from typing import TYPE_CHECKING

from muxi.lazy import names_of
from muxi.transport.bodies import Body, BytesBody, FileBody, IterableBody, as_body
from muxi.transport.contract import (
    AnyResponse,
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    Request,
    Response,
    Timeouts,
    Transport,
    UnreadResponse,
    replayed,
    replayed_async,
)
from muxi.transport.headers import Headers
from muxi.transport.loop import iterate, iterate_async, run, run_async

if TYPE_CHECKING:
    from muxi.transport.stepped import AsyncSteppedTransport, SendSteps, Stepped, SteppedTransport
    from muxi.transport.stepped_response import SteppedResponse
    from muxi.transport.steps import BlockingCall, BodySteps, Close, CloseSteps, Forward, NextChunk, ReadBody, Step

__all__ = [
    "AnyResponse",
    "AsyncResponse",
    "AsyncSteppedTransport",
    "AsyncTransport",
    "BlockingCall",
    "Body",
    "BodySteps",
    "BufferedResponse",
    "BytesBody",
    "Close",
    "CloseSteps",
    "FileBody",
    "Forward",
    "Headers",
    "IterableBody",
    "NextChunk",
    "ReadBody",
    "Request",
    "Response",
    "SendSteps",
    "Step",
    "Stepped",
    "SteppedResponse",
    "SteppedTransport",
    "Timeouts",
    "Transport",
    "UnreadResponse",
    "as_body",
    "iterate",
    "iterate_async",
    "replayed",
    "replayed_async",
    "run",
    "run_async",
]

#: The base of stepped transports; loaded when it is first asked for, so that importing muxi stays quick.
_HOMES = {
    "muxi.transport.stepped": ("AsyncSteppedTransport", "SendSteps", "Stepped", "SteppedTransport"),
    "muxi.transport.stepped_response": ("SteppedResponse",),
    "muxi.transport.steps": (
        "BlockingCall",
        "BodySteps",
        "Close",
        "CloseSteps",
        "Forward",
        "NextChunk",
        "ReadBody",
        "Step",
    ),
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(__name__, _HOMES)
