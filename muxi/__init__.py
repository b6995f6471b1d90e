"""The Python SDK for MUXI: formations of AI agents, and the servers that run them.

Start with :class:`FormationClient` (talks to a formation) or :class:`ServerClient` (manages formations);
each has an async twin.

PYTEST_DONT_REWRITE (programs that run pytest may have imported this before, which pytest would warn of)
"""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

from muxi.version import __version__

if TYPE_CHECKING:
    from muxi import errors, types, webhook
    from muxi.answers import PendingTurn, pending
    from muxi.call import Call, Key, Wait
    from muxi.clock import Clock, ManualClock, SystemClock
    from muxi.config import FormationConfig, ServerConfig
    from muxi.context import STOP, Context, Outcome
    from muxi.conversation import AsyncConversation, Conversation
    from muxi.errors import (
        AuthenticationError,
        AuthorizationError,
        ConfigurationError,
        ConflictError,
        ConnectionError,
        JobFailed,
        ListTruncated,
        MuxiError,
        NotFoundError,
        PluginError,
        RateLimitError,
        ResultForgotten,
        ServerError,
        StreamInterrupted,
        TimeoutError,
        TurnFailed,
        ValidationError,
    )
    from muxi.formation import AsyncFormationClient, FormationClient
    from muxi.hookspecs import hookimpl
    from muxi.registry import register_transport
    from muxi.result import Meta, RawResponse, meta
    from muxi.server import AsyncServerClient, ServerClient
    from muxi.streaming.call import StreamCall
    from muxi.streaming.streams import AsyncEventStream, EventStream
    from muxi.widgets import parse_ui_widgets

# `muxi-runtime` installs muxi/runtime, maybe under another directory of sys.path than this file's.
__path__ = extend_path(__path__, __name__)

__all__ = [
    "STOP",
    "AsyncConversation",
    "AsyncEventStream",
    "AsyncFormationClient",
    "AsyncServerClient",
    "AuthenticationError",
    "AuthorizationError",
    "Call",
    "Clock",
    "ConfigurationError",
    "ConflictError",
    "ConnectionError",
    "Context",
    "Conversation",
    "EventStream",
    "FormationClient",
    "FormationConfig",
    "JobFailed",
    "Key",
    "ListTruncated",
    "ManualClock",
    "Meta",
    "MuxiError",
    "NotFoundError",
    "Outcome",
    "PendingTurn",
    "PluginError",
    "RateLimitError",
    "RawResponse",
    "ResultForgotten",
    "ServerClient",
    "ServerConfig",
    "ServerError",
    "StreamCall",
    "StreamInterrupted",
    "SystemClock",
    "TimeoutError",
    "TurnFailed",
    "ValidationError",
    "Wait",
    "__version__",
    "errors",
    "hookimpl",
    "meta",
    "parse_ui_widgets",
    "pending",
    "register_transport",
    "types",
    "webhook",
]

#: Where each public name lives; loaded when it is first asked for, so that importing muxi stays quick.
_HOMES = {
    "muxi.answers": ("PendingTurn", "pending"),
    "muxi.call": ("Call", "Key", "Wait"),
    "muxi.clock": ("Clock", "ManualClock", "SystemClock"),
    "muxi.config": ("FormationConfig", "ServerConfig"),
    "muxi.context": ("STOP", "Context", "Outcome"),
    "muxi.errors": (
        "AuthenticationError",
        "AuthorizationError",
        "ConfigurationError",
        "ConflictError",
        "ConnectionError",
        "JobFailed",
        "ListTruncated",
        "MuxiError",
        "NotFoundError",
        "PluginError",
        "RateLimitError",
        "ResultForgotten",
        "ServerError",
        "StreamInterrupted",
        "TimeoutError",
        "TurnFailed",
        "ValidationError",
    ),
    "muxi.conversation": ("AsyncConversation", "Conversation"),
    "muxi.formation": ("AsyncFormationClient", "FormationClient"),
    "muxi.hookspecs": ("hookimpl",),
    "muxi.registry": ("register_transport",),
    "muxi.result": ("Meta", "RawResponse", "meta"),
    "muxi.server": ("AsyncServerClient", "ServerClient"),
    "muxi.streaming.call": ("StreamCall",),
    "muxi.streaming.streams": ("AsyncEventStream", "EventStream"),
    "muxi.widgets": ("parse_ui_widgets",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name in ("errors", "types", "webhook"):
        return import_module(f"muxi.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'muxi' has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOME_OF[name]), name)
    except ImportError as error:
        from muxi.client.environment import conflicts

        # Files of another distribution in place of ours: say what to do, not only what is missing.
        if advice := conflicts():
            raise ImportError(f"{error}; {'; '.join(advice)}") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
