"""The two drivers, blocking and awaiting: the only code of the core that does I/O. They decide nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import Protocol, TypeVar, cast

from muxi.call import Item
from muxi.exchange.steps import (
    DiscardBody,
    Effect,
    ExchangeSteps,
    ItemSteps,
    ReadResponse,
    SaveBody,
    SendRequest,
    Sleep,
)
from muxi.transport import AsyncTransport, Transport, iterate, iterate_async, run, run_async

__all__ = ["drive", "drive_async", "items", "items_async"]

T = TypeVar("T")


class Sleeper(Protocol):
    """Waits for a number of seconds: a clock, or a client's core, whose waits end when it is closed."""

    def sleep(self, seconds: float) -> None: ...
    async def sleep_async(self, seconds: float) -> None: ...


def perform(effect: Effect, transport: Callable[[], Transport], sleeper: Sleeper) -> object:
    """Perform one effect of an exchange, blocking, and return its outcome."""
    if isinstance(effect, SendRequest):
        return transport().send(effect.request)
    if isinstance(effect, ReadResponse):
        return effect.response.read(effect.within, limit=effect.limit)
    if isinstance(effect, SaveBody):
        from muxi.exchange.download import save

        return save(effect.response, effect.call.into or "", effect.call.progress)
    if isinstance(effect, Sleep):
        sleeper.sleep(effect.seconds)
        return None
    if isinstance(effect, DiscardBody):
        effect.response.close()
        return None
    raise TypeError(f"a sync client cannot await {effect!r}")


async def perform_async(effect: Effect, transport: Callable[[], AsyncTransport], sleeper: Sleeper) -> object:
    """Perform one effect of an exchange, awaiting, and return its outcome."""
    if isinstance(effect, SendRequest):
        return await transport().send(effect.request)
    if isinstance(effect, ReadResponse):
        return await effect.response.read(effect.within, limit=effect.limit)
    if isinstance(effect, SaveBody):
        from muxi.exchange.download import save_async

        return await save_async(effect.response, effect.call.into or "", effect.call.progress)
    if isinstance(effect, Sleep):
        await sleeper.sleep_async(effect.seconds)
        return None
    if isinstance(effect, DiscardBody):
        await effect.response.close()
        return None
    if effect.seconds is None:
        return await effect.awaitable
    import asyncio  # a sync program need not load it

    return await asyncio.wait_for(effect.awaitable, effect.seconds)


def drive(steps: ExchangeSteps[T], transport: Callable[[], Transport], sleeper: Sleeper) -> T:
    """Run an exchange to its end, blocking."""
    return run(steps, lambda effect: perform(effect, transport, sleeper))


async def drive_async(steps: ExchangeSteps[T], transport: Callable[[], AsyncTransport], sleeper: Sleeper) -> T:
    """Run an exchange to its end, awaiting."""
    return await run_async(steps, lambda effect: perform_async(effect, transport, sleeper))


def items(steps: ItemSteps[T], transport: Callable[[], Transport], sleeper: Sleeper) -> Iterator[T]:
    """Run an iteration, blocking, and yield its items."""
    stepped = iterate(steps, lambda effect: perform(cast(Effect, effect), transport, sleeper), Item)
    with closing(cast("Generator[Item[T], None, None]", stepped)) as found:
        for item in found:
            yield item.value


async def items_async(
    steps: ItemSteps[T], transport: Callable[[], AsyncTransport], sleeper: Sleeper
) -> AsyncIterator[T]:
    """Run an iteration, awaiting, and yield its items."""
    stepped = iterate_async(steps, lambda effect: perform_async(cast(Effect, effect), transport, sleeper), Item)
    async with aclosing(cast("AsyncGenerator[Item[T], None]", stepped)) as found:
        async for item in found:
            yield item.value
