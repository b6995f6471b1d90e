"""The contract of plugins: every hook, who calls it, when, with what, and what its result does.

A plugin is any object or module with functions of these names, marked with ``@muxi.hookimpl``. It takes
the arguments it needs by name, in any order, and may leave out the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from muxi.call import Call
    from muxi.client import AsyncClient, Client
    from muxi.context import Context, Outcome, Stop
    from muxi.registry import TransportRegistry
    from muxi.schemas import SchemaRegistry
    from muxi.transport import AsyncResponse, BufferedResponse, Request, Response

__all__ = ["PROJECT", "hookimpl", "hookspec"]

#: The project name that pluggy knows these hooks under, and the entry-point group of plugins.
PROJECT = "muxi"

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker(PROJECT)
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker(PROJECT)


@hookspec
def muxi_register_transports(registry: TransportRegistry) -> None:
    """Add transports by name.

    Called once for each client, when it is made, before its transport is chosen. Every implementation is
    called; results are not looked at. Not awaited: it cannot be ``async``.
    """


@hookspec
def muxi_register_schemas(registry: SchemaRegistry) -> None:
    """Replace or tighten the payload schema of an operation.

    Called once for each client, when it is made. Every implementation is called; results are not looked at.
    Not awaited: it cannot be ``async``.
    """


@hookspec
def muxi_client_created(client: Client | AsyncClient) -> None:
    """A client has been made.

    Called once for each client, at the end of its constructor; ``with_options()`` makes no new one. Every
    implementation is called; one that raises is logged. Not awaited: it cannot be ``async``.
    """


@hookspec
def muxi_client_closed(client: Client | AsyncClient) -> None:
    """A client is being closed; its transport still works.

    Called once for each client, by ``close()``. Every implementation is called; one that raises is logged.
    """


@hookspec
def muxi_call_started(call: Call[object], context: Context) -> None:
    """A logical call begins: its payload is valid, nothing has been sent.

    Every implementation is called; one that raises is logged and breaks nothing.
    """


@hookspec
def muxi_call_finished(call: Call[object], outcome: Outcome, context: Context) -> None:
    """A logical call has ended, well or not; for a stream, when it has ended or been closed.

    Every implementation is called; one that raises is logged and breaks nothing.
    """


@hookspec
def muxi_prepare_request(request: Request, context: Context) -> None:
    """A request is about to be sent; change it as you like.

    Called on every attempt with a fresh request, after all the SDK's own headers but those of built-in
    plugins ordered later. Implementations run one after the other and each sees what the one before has
    done. One that raises fails the call: with its own error where that is a ``MuxiError``, else with a
    ``PluginError`` that names the plugin.
    """


@hookspec(firstresult=True)
def muxi_intercept(request: Request, context: Context) -> BufferedResponse | None:
    """Answer in place of the platform, or refuse to send.

    Called on every attempt after ``muxi_prepare_request``. The first result that is not None is the answer and
    nothing is sent. One that raises fails the attempt, as in ``muxi_prepare_request``.
    """


@hookspec(firstresult=True)
def muxi_response_received(
    response: Response | AsyncResponse | BufferedResponse, context: Context
) -> BufferedResponse | None:
    """An answer has come; look at it, or replace it.

    Called on every attempt that has an answer, whatever its status. The answer has been read, except that of
    a stream, of which only status and headers are there. The first result that is not None takes its place.
    One that raises is logged and counts as None.
    """


@hookspec
def muxi_attempt_failed(error: Exception, context: Context) -> None:
    """One attempt has failed: no answer, or one with an error status.

    Every implementation is called; one that raises is logged and breaks nothing.
    """


@hookspec(firstresult=True)
def muxi_retry_delay(outcome: Outcome, context: Context) -> float | Stop | None:
    """Whether and when to try again.

    Asked after a failed attempt, and only where the call may be repeated. The first result that is not None
    decides: seconds to wait before the next attempt, or ``STOP``. Where nobody has an opinion the error is
    raised. One that raises is logged and counts as None.
    """


@hookspec
def muxi_event_received(event: object, context: Context) -> None:
    """An event of a stream has come and is about to be handed to the caller.

    Every implementation is called; one that raises is logged and breaks nothing.
    """
