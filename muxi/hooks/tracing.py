"""What ``MUXI_TRACE_PLUGINS=1`` prints: each hook as it is called, what it decides, and what it raises."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable
from typing import Any

from muxi.hooks.registration import Implementation
from muxi.hooks.results import DECIDING

__all__ = ["traced"]


def traced(implementation: Implementation) -> Implementation:
    """The same, telling on stderr each time it is called. Arguments and answers are not shown: they hold secrets."""

    def function(*arguments: Any) -> Any:
        _tell(f"{implementation.hook} -> {implementation.plugin}")
        try:
            result = implementation.function(*arguments)
        except BaseException as error:
            _tell_failure(implementation, error)
            raise
        if inspect.isawaitable(result):
            return _awaited(implementation, result)
        return _told(implementation, result)

    return implementation._replace(function=function)


async def _awaited(implementation: Implementation, result: Awaitable[Any]) -> Any:
    try:
        return _told(implementation, await result)
    except BaseException as error:
        _tell_failure(implementation, error)
        raise


def _told(implementation: Implementation, result: object) -> object:
    if result is not None and implementation.hook in DECIDING:
        shown = repr(result) if isinstance(result, DECIDING[implementation.hook]) else type(result).__name__
        _tell(f"{implementation.hook} <- {implementation.plugin}: {shown}")
    return result


def _tell_failure(implementation: Implementation, error: BaseException) -> None:
    _tell(f"{implementation.hook} !! {implementation.plugin}: {type(error).__name__}")


def _tell(text: str) -> None:
    print(f"muxi: {text}", file=sys.stderr, flush=True)
