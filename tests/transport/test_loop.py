"""Generators of effects, driven blocking and awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from typing import Any

import pytest

from muxi.transport import iterate, iterate_async, run, run_async

Driver = Callable[[Generator[Any, Any, Any], Callable[[Any], object]], Any]
Iterating = Callable[[Generator[Any, Any, Any], Callable[[Any], object], "int | None"], list[Any]]


def awaiting(perform: Callable[[Any], object]) -> Callable[[Any], Any]:
    async def perform_async(effect: Any) -> object:
        await asyncio.sleep(0)
        return perform(effect)

    return perform_async


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Driver:
    if request.param == "sync":
        return run
    return lambda steps, perform: asyncio.run(run_async(steps, awaiting(perform)))


@pytest.fixture(params=["sync", "async"])
def collect(request: pytest.FixtureRequest) -> Iterating:
    """Runs a generator whose items are texts, and leaves after some of them."""

    def blocking(steps: Generator[Any, Any, Any], perform: Callable[[Any], object], limit: int | None) -> list[Any]:
        found = []
        for item in iterate(steps, perform, str):
            found.append(item)
            if len(found) == limit:
                break
        return found

    async def taken(items: AsyncIterator[Any], limit: int | None) -> list[Any]:
        found = []
        async with aclosing(items) as open_items:  # type: ignore[type-var]  # it is a generator
            async for item in open_items:
                found.append(item)
                if len(found) == limit:
                    break
        return found

    if request.param == "sync":
        return blocking
    return lambda steps, perform, limit: asyncio.run(taken(iterate_async(steps, awaiting(perform), str), limit))


def test_outcomes_are_sent_and_the_result_is_returned(drive: Driver) -> None:
    def steps() -> Generator[int, int, str]:
        first = yield 1
        second = yield 2
        return f"{first} {second}"

    assert drive(steps(), lambda effect: effect * 10) == "10 20"


def test_errors_and_interrupts_are_thrown_in(drive: Driver) -> None:
    def steps() -> Generator[BaseException, object, list[str]]:
        caught = []
        for error in (ValueError("a"), KeyboardInterrupt("b")):
            try:
                yield error
            except BaseException as thrown:
                caught.append(repr(thrown))
        return caught

    def perform(effect: BaseException) -> object:
        raise effect

    assert drive(steps(), perform) == ["ValueError('a')", "KeyboardInterrupt('b')"]


def test_an_error_that_is_not_caught_comes_out(drive: Driver) -> None:
    ended = []

    def steps() -> Generator[int, object, None]:
        try:
            yield 0
        finally:
            ended.append(True)

    with pytest.raises(ZeroDivisionError):
        drive(steps(), lambda effect: 1 / effect)
    assert ended == [True]


def test_a_stop_iteration_of_an_effect_does_not_pass_for_the_end() -> None:
    def steps() -> Generator[int, object, str]:
        yield 1
        return "end"

    def perform(effect: int) -> object:
        raise StopIteration("not the end")

    with pytest.raises(RuntimeError):
        run(steps(), perform)


def test_a_cancellation_is_thrown_in_and_the_clean_up_is_awaited() -> None:
    done: list[str] = []
    started: asyncio.Event | None = None

    def steps() -> Generator[str, object, None]:
        try:
            yield "wait"
        finally:
            yield "clean up"

    async def perform(effect: str) -> None:
        if effect == "wait":
            assert started is not None
            started.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        done.append(effect)

    async def main() -> None:
        nonlocal started
        started = asyncio.Event()
        task = asyncio.ensure_future(run_async(steps(), perform))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done == ["clean up"]


def test_items_are_yielded_and_effects_performed(collect: Iterating) -> None:
    def steps() -> Generator[int | str, Any, None]:
        for number in (1, 2, 3):
            squared = yield number
            nothing = yield f"{number}: {squared}"
            assert nothing is None

    assert collect(steps(), lambda effect: effect**2, None) == ["1: 1", "2: 4", "3: 9"]


def test_an_iteration_that_is_left_closes_its_generator(collect: Iterating) -> None:
    ended = []

    def steps() -> Generator[int | str, Any, None]:
        try:
            yield "first"
            yield "second"
        finally:
            ended.append(True)

    assert collect(steps(), lambda effect: None, 1) == ["first"]
    assert ended == [True]


def test_an_effect_that_fails_between_items_is_thrown_in(collect: Iterating) -> None:
    def steps() -> Generator[int | str, Any, None]:
        try:
            yield 0
        except ZeroDivisionError:
            yield "caught"

    assert collect(steps(), lambda effect: 1 / effect, None) == ["caught"]
