"""The hooks that plugins implement: when each is called, with which arguments, and the effect of its result.

A plugin is any object or module with functions of these names, marked with ``@muxi.hookimpl``. It takes
the arguments it needs by name, in any order, and may leave out the others.

The implementations of a hook run one after the other: those with ``tryfirst`` first, those with ``trylast``
last, and else the plugin that was registered later before the one that was registered earlier; built-in plugins are
registered first of all, but ``muxi.auth`` last. Unless it says otherwise a hook may be implemented with ``async def``
on async clients, and each implementation is awaited before the next is called.
"""

from __future__ import annotations

from typing import Any, Protocol

import pluggy

from muxi.call import Call
from muxi.clock import Clock
from muxi.commands import CommandRegistry
from muxi.context import Context, Outcome, Stop
from muxi.errors import MuxiError
from muxi.registry import TransportRegistry
from muxi.schemas import SchemaRegistry
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response

__all__ = ["PROJECT", "HookedClient", "hookimpl", "hookspec"]

#: The project name that pluggy knows these hooks under, and the entry-point group of plugins.
PROJECT = "muxi"

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker(PROJECT)
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker(PROJECT)


class HookedClient(Protocol):
    """A client as far as plugins may use it. Every client fits; a plugin for one kind may name that kind instead."""

    @property
    def clock(self) -> Clock:
        """The clock of the client's waits and timestamps."""
        ...

    def send(self, call: Call[Any]) -> Any:
        """Run a call: its result on a sync client, an awaitable of it on an async client."""
        ...

    def with_options(self, **changes: Any) -> Any:
        """Return the same client with other options for its calls."""
        ...


@hookspec
def muxi_register_transports(registry: TransportRegistry) -> None:
    """Add transports by name.

    Called by the constructor of each client, before its transport is chosen. Every implementation is called; results
    are not looked at. One that raises fails the constructor. Not awaited: it cannot be ``async``.

    Args:
        registry: this client's; ``registry.register(name, sync, asynchronous)`` adds a name to it.
    """


@hookspec
def muxi_register_schemas(registry: SchemaRegistry) -> None:
    """Replace or tighten the schemas of an operation: of what is sent, and of what comes back.

    Called by the constructor of each client. Every implementation is called; results are not looked at. One that
    raises fails the constructor. Not awaited: it cannot be ``async``.

    Args:
        registry: this client's; ``tighten_request``, ``replace_request``, ``tighten_response`` and
            ``replace_response`` each take an operation's name and a marshmallow schema.
    """


@hookspec
def muxi_register_commands(registry: CommandRegistry) -> None:
    """Add commands to ``muxi-client``.

    Called by the command line, on the plugins of installed distributions, where it lists its commands or is given one
    that is not its own; never by a client. Every implementation is called; results are not looked at. One that raises
    is reported on stderr, and the other commands are there all the same. Not awaited: it cannot be ``async``.

    Args:
        registry: ``registry.add(name, "package.module:attribute", summary)`` adds a :class:`click.Command`, which is
            imported when it is run.
    """


@hookspec
def muxi_client_created(client: HookedClient) -> None:
    """A client has been made.

    Called once for each client, at the end of its constructor; ``with_options()`` and ``with_raw_response`` make no
    new one. Every implementation is called; results are not looked at; one that raises is logged. Not awaited: it
    cannot be ``async``.

    Args:
        client: ready to be used.
    """


@hookspec
def muxi_client_closed(client: HookedClient) -> None:
    """A client is being closed.

    Called once for each client, by the first ``close()``. Every implementation is called; results are not looked at;
    one that raises is logged.

    Args:
        client: its transport still works, so that calls can still be made.
    """


@hookspec
def muxi_call_started(call: Call[object], context: Context) -> None:
    """A logical call begins: its payload is valid, nothing has been sent.

    Called by the exchange, once for each call. Every implementation is called; results are not looked at; one that
    raises is logged and breaks nothing.

    Args:
        call: what is to be done.
        context: the call on its way; the same object in all hooks of this call, with room in ``state``.
    """


@hookspec
def muxi_prepare_request(request: Request, context: Context) -> None:
    """A request is about to be sent; the plugin may change it.

    Called by the exchange on every attempt (and after a redirect) with a fresh request that has the SDK's own headers,
    the call's and the options', and not yet those of plugins that are called later. Implementations run one after the
    other and each sees what the one before has done; results do not count. One that raises fails the call: with its own
    error where that is a ``MuxiError``, else with a ``PluginError`` that names the plugin; so does one that leaves
    something in the request that cannot be sent, such as a ``dict`` for its headers.

    Args:
        request: method, URL, headers, body and bounds of this attempt.
        context: ``context.attempt`` counts from 1.
    """


@hookspec(firstresult=True)
def muxi_intercept(request: Request, context: Context) -> BufferedResponse | None:
    """Answer in place of the platform, or refuse to send.

    Called by the exchange on every attempt after ``muxi_prepare_request``, with the request as it would be sent. The
    first result that is not None is the answer; nothing is sent, and the implementations after it are not asked. One
    that raises, or returns anything else, fails the attempt, as in ``muxi_prepare_request``.

    Args:
        request: as it would be sent, keys and signature included. Headers may still be added, as tracing does; what has
            been signed (method, path and body) must stay.
        context: of the call.
    """


@hookspec(firstresult=True)
def muxi_response_received(
    response: Response | AsyncResponse | BufferedResponse, context: Context
) -> BufferedResponse | None:
    """An answer has come; look at it, or replace it.

    Called by the exchange on every attempt that has an answer, whatever its status and whoever gave it. Every
    implementation is called with that answer; the first result that is not None takes its place. One that raises, or
    returns anything else, is logged and counts as None.

    Args:
        response: read to its end, except that of a stream, of which only status and headers are there.
        context: of the call.
    """


@hookspec
def muxi_attempt_failed(error: MuxiError, context: Context) -> None:
    """One attempt has failed: no answer, or one that is an error.

    Called by the exchange, also for the last attempt. Every implementation is called; results are not looked at; one
    that raises is logged and breaks nothing.

    Args:
        error: typed; it is raised if no further attempt follows.
        context: of the call.
    """


@hookspec(firstresult=True)
def muxi_retry_delay(outcome: Outcome, context: Context) -> float | Stop | None:
    """Decide whether and when to try again.

    Asked by the exchange after a failed attempt, and only where the call may be repeated. The first result that is not
    None decides, and the implementations after it are not asked: seconds to wait before the next attempt, or ``STOP``.
    If all return None the error is raised, and so it is where the wait would outlast the deadline. One that
    raises, or returns anything else, is logged and counts as None; a number below 0 is 0.

    Args:
        outcome: the attempt's, with its error.
        context: ``context.attempt`` is the number of the attempt that has failed.
    """


@hookspec
def muxi_retry_scheduled(delay: float, error: MuxiError, context: Context) -> None:
    """There will be another attempt, after a wait that begins now.

    Called by the exchange once ``muxi_retry_delay`` has decided so. Every implementation is called; results are not
    looked at; one that raises is logged and breaks nothing.

    Args:
        delay: seconds until the next attempt; 0 is at once.
        error: what the last attempt failed with.
        context: ``context.attempt`` is the number of the attempt that has failed.
    """


@hookspec
def muxi_event_received(event: object, context: Context) -> None:
    """An event of a stream has come and is about to be handed to the caller.

    Called by the stream for each event, in order. Every implementation is called; results are not looked at; one that
    raises is logged and breaks nothing. Without an implementation events cost nothing, with one some microseconds each.

    Args:
        event: as the caller gets it: a mapping.
        context: of the call that opened the stream.
    """


@hookspec
def muxi_call_finished(call: Call[object], outcome: Outcome, context: Context) -> None:
    """A logical call has ended, well or not; for a stream, when it has ended or been closed.

    Called by the exchange, or by the stream, once for each call that was started; for a sync stream that was
    garbage-collected at the client's next call, or when the client is closed. Every implementation is called;
    results are not looked at; one that raises is logged and breaks nothing.

    Args:
        call: what was to be done.
        outcome: the error, or the result with the answer behind it (a stream has no result here).
        context: ``context.attempt`` is the number of attempts, ``context.elapsed`` the seconds of the whole call.
    """
