"""``MUXI_TRACE_PLUGINS=1``: print each hook call, its decision and its exception to stderr."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable
from typing import Any

from muxi.hooks.registration import Implementation
from muxi.hooks.results import DECIDING

__all__ = ["traced"]


def traced(implementation: Implementation) -> Implementation:
    """Return an implementation that prints its calls. Arguments and answers are not shown: they hold secrets."""

    def function(*arguments: Any) -> Any:
        _log(f"{implementation.hook} -> {implementation.plugin}")
        try:
            result = implementation.function(*arguments)
        except BaseException as error:
            _log_failure(implementation, error)
            raise
        if inspect.isawaitable(result):
            return _await_result(implementation, result)
        return _log_result(implementation, result)

    return implementation._replace(function=function)


async def _await_result(implementation: Implementation, result: Awaitable[Any]) -> Any:
    try:
        return _log_result(implementation, await result)
    except BaseException as error:
        _log_failure(implementation, error)
        raise


def _log_result(implementation: Implementation, result: object) -> object:
    if result is not None and implementation.hook in DECIDING:
        shown = repr(result) if isinstance(result, DECIDING[implementation.hook]) else type(result).__name__
        _log(f"{implementation.hook} <- {implementation.plugin}: {shown}")
    return result


def _log_failure(implementation: Implementation, error: BaseException) -> None:
    _log(f"{implementation.hook} !! {implementation.plugin}: {type(error).__name__}")


def _log(text: str) -> None:
    print(f"muxi: {text}", file=sys.stderr, flush=True)
