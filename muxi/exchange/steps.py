"""The effects that an exchange yields, and the values that it is made of and ends with.

An exchange is a generator: it yields an effect and is sent its outcome. :mod:`muxi.exchange.drivers` performs them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, NamedTuple, TypeVar

from muxi.call import Call, Item
from muxi.clock import Clock
from muxi.config import Address, CallOptions
from muxi.context import Context
from muxi.exchange.closing import Closing
from muxi.exchange.fresh import FreshRequests
from muxi.hooks import Await, Hooks
from muxi.records import Record
from muxi.schemas import SchemaRegistry
from muxi.transport import AnyResponse, Request

__all__ = [
    "DiscardBody",
    "Effect",
    "ExchangeResult",
    "ExchangeSettings",
    "ExchangeSteps",
    "ItemSteps",
    "ReadResponse",
    "SaveBody",
    "SendRequest",
    "Sleep",
    "relay",
]

T = TypeVar("T")
Step = TypeVar("Step")


class SendRequest(NamedTuple):
    """Send a request; the outcome is a response whose body has not been read."""

    request: Request


class ReadResponse(NamedTuple):
    """Read the body of a response to its end; the outcome is the bytes."""

    response: Any  # a Response on a sync client, an AsyncResponse on an async one
    #: The longest time for it, in seconds; None leaves it to the bounds of the request.
    within: float | None = None


class SaveBody(NamedTuple):
    """Write the body of a response to the call's file as it arrives; the outcome is its size in bytes."""

    response: Any
    call: Call[Any]


class DiscardBody(NamedTuple):
    """Close a response without reading its body."""

    response: Any


class Sleep(NamedTuple):
    """Wait for a number of seconds."""

    seconds: float


Effect = SendRequest | ReadResponse | SaveBody | DiscardBody | Sleep | Await
ExchangeSteps = Generator[Effect, Any, T]
ItemSteps = Generator[Effect | Item[T], Any, Any]


class ExchangeSettings(NamedTuple):
    """The parts of a client that each of its calls needs."""

    address: Address
    options: CallOptions
    hooks: Hooks
    schemas: SchemaRegistry
    clock: Clock
    fresh: FreshRequests
    closing: Closing
    #: Whether requests stay in this process.
    private: bool = False


class ExchangeResult(Record, Generic[T], frozen=True):
    """The result of an exchange, with the response and the context it came with."""

    #: The data; for a stream the open response, or the buffered one a plugin answered with.
    data: T
    response: AnyResponse
    context: Context


def relay(
    steps: Generator[Step, Any, T], perform: Callable[[Step], Generator[Any, Any, object]]
) -> Generator[Any, Any, T]:
    """Run a generator whose steps are generators of effects themselves: yield their effects, return its result.

    As :func:`muxi.transport.stepped.run`, for what is driven in turn.

    Args:
        steps: is sent the result of each of its steps; an error of one is thrown into it. It is closed in any case.
        perform: makes the generator of a step.
    """
    try:
        step = next(steps)
        while True:
            try:
                outcome = yield from perform(step)
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()
