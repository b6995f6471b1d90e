"""The two drivers: the only code of the core that does I/O. They decide nothing.

A driver takes an exchange, does what it asks for, and sends back the outcome.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from typing import TypeVar, cast

from muxi.call import Item
from muxi.clock import Clock
from muxi.exchange.download import save, save_async
from muxi.exchange.life import Discard, Effect, ItemSteps, Read, Save, Send, Sleep, Steps
from muxi.transport import AsyncTransport, Transport

__all__ = ["drive", "drive_async", "items", "items_async"]

T = TypeVar("T")


def perform(effect: Effect, transport: Callable[[], Transport], clock: Clock) -> object:
    """Do what an exchange asks for, blocking."""
    if isinstance(effect, Send):
        return transport().send(effect.request)
    if isinstance(effect, Read):
        return effect.response.read()
    if isinstance(effect, Save):
        return save(effect.response, effect.call.into or "", effect.call.progress)
    if isinstance(effect, Sleep):
        clock.sleep(effect.seconds)
        return None
    if isinstance(effect, Discard):
        effect.response.close()
        return None
    raise TypeError(f"a sync client cannot await {effect!r}")


async def perform_async(effect: Effect, transport: Callable[[], AsyncTransport], clock: Clock) -> object:
    """Do what an exchange asks for, awaiting."""
    if isinstance(effect, Send):
        return await transport().send(effect.request)
    if isinstance(effect, Read):
        return await effect.response.read()
    if isinstance(effect, Save):
        return await save_async(effect.response, effect.call.into or "", effect.call.progress)
    if isinstance(effect, Sleep):
        await clock.sleep_async(effect.seconds)
        return None
    if isinstance(effect, Discard):
        await effect.response.close()
        return None
    if effect.seconds is None:
        return await effect.awaitable
    import asyncio  # a sync program need not load it

    return await asyncio.wait_for(effect.awaitable, effect.seconds)


def drive(steps: Steps[T], transport: Callable[[], Transport], clock: Clock) -> T:
    """Run an exchange to its end, blocking."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = perform(effect, transport, clock)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return cast(T, stop.value)


async def drive_async(steps: Steps[T], transport: Callable[[], AsyncTransport], clock: Clock) -> T:
    """Run an exchange to its end, awaiting."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await perform_async(effect, transport, clock)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return cast(T, stop.value)


def items(steps: ItemSteps[T], transport: Callable[[], Transport], clock: Clock) -> Iterator[T]:
    """Run an iteration, blocking, and hand on its items."""
    with suppress(StopIteration), closing(steps):
        effect = next(steps)
        while True:
            if isinstance(effect, Item):
                yield effect.value
                effect = steps.send(None)
                continue
            try:
                outcome = perform(effect, transport, clock)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)


async def items_async(steps: ItemSteps[T], transport: Callable[[], AsyncTransport], clock: Clock) -> AsyncIterator[T]:
    """Run an iteration, awaiting, and hand on its items."""
    with suppress(StopIteration), closing(steps):
        effect = next(steps)
        while True:
            if isinstance(effect, Item):
                yield effect.value
                effect = steps.send(None)
                continue
            try:
                outcome = await perform_async(effect, transport, clock)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
