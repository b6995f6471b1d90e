"""The contract of transports, its values, and the base of transports that are written once for both colours."""

from importlib import import_module
from typing import TYPE_CHECKING

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

#: Where the base of stepped transports is; loaded when it is first asked for, so that importing muxi stays quick.
_HOMES = {
    "stepped": ("AsyncSteppedTransport", "SendSteps", "Stepped", "SteppedTransport"),
    "stepped_response": ("SteppedResponse",),
    "steps": ("BlockingCall", "BodySteps", "Close", "CloseSteps", "Forward", "NextChunk", "ReadBody", "Step"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
