"""The contract of transports, and the values that it speaks of: requests, responses, headers and bodies."""

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
    replayed,
    replayed_async,
)
from muxi.transport.headers import Headers

__all__ = [
    "AnyResponse",
    "AsyncResponse",
    "AsyncTransport",
    "Body",
    "BufferedResponse",
    "BytesBody",
    "FileBody",
    "Headers",
    "IterableBody",
    "Request",
    "Response",
    "Timeouts",
    "Transport",
    "as_body",
    "replayed",
    "replayed_async",
]
