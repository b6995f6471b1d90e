"""HTTP as every network transport has it, without any HTTP library: settings, proxies, TLS, bounds of an attempt.

For transports of your own: the request (:func:`check_method`, :func:`split_url`, :func:`parse_origin`,
:func:`sendable_headers`), one attempt with its bounds and errors (:class:`Attempt`, :func:`translated`), and the answer
(:func:`received_headers`, :class:`Content`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxi_transports.http.attempt import Attempt
    from muxi_transports.http.content import Content
    from muxi_transports.http.translation import translated
    from muxi_transports.http.wire import (
        Origin,
        check_method,
        parse_origin,
        received_headers,
        sendable_headers,
        split_url,
    )

__all__ = [
    "Attempt",
    "Content",
    "Origin",
    "check_method",
    "parse_origin",
    "received_headers",
    "sendable_headers",
    "split_url",
    "translated",
]

#: Where each name lives; loaded when it is first asked for, because not every transport needs TLS and sockets.
_HOME_OF = {
    "Attempt": "attempt",
    "Content": "content",
    "Origin": "wire",
    "check_method": "wire",
    "parse_origin": "wire",
    "received_headers": "wire",
    "sendable_headers": "wire",
    "split_url": "wire",
    "translated": "translation",
}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
