"""The exceptions that stubs raise in place of an answer."""

from __future__ import annotations

import builtins
import copy

from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError

__all__ = ["StubMistake", "UnexpectedRequest", "UnusedStub", "check_error", "make_exception"]


class UnexpectedRequest(AssertionError):
    """A request that no stub is for, on a transport that answers by stubs alone.

    It is no :class:`~muxi.MuxiError`: the SDK does not repeat the call, and code that handles the SDK's errors does not
    take it for one of them.
    """


class UnusedStub(AssertionError):
    """A stub that no request was for."""


class StubMistake(ConfigurationError):
    """The function of a stub returned what is no answer. It fails the test, whatever the code under test handles."""


def check_error(error: object) -> None:
    """Refuse what cannot be raised.

    Raises:
        ConfigurationError: says what to give.
    """
    if isinstance(error, Exception):
        return
    if not (isinstance(error, type) and issubclass(error, Exception)):
        raise ConfigurationError(f"error= takes an exception, got {type(error).__name__}")
    make_exception(error)


def make_exception(error: Exception | type[Exception]) -> Exception:
    """The exception to raise: a fresh one each time, and of the SDK's where the built-in one was given.

    Raises:
        ConfigurationError: a class cannot be called without arguments.
    """
    kind = error if isinstance(error, type) else type(error)
    if issubclass(kind, builtins.TimeoutError) and (isinstance(error, type) or not issubclass(kind, MuxiError)):
        return TimeoutError("TIMEOUT", _text(error) or "no answer came in time (a stub)")
    if issubclass(kind, builtins.ConnectionError) and (isinstance(error, type) or not issubclass(kind, MuxiError)):
        if issubclass(kind, ConnectionRefusedError):
            message = _text(error) or "no server listens there (a stub)"
            return ConnectionError("CONNECTION_REFUSED", message, connected=False)
        return ConnectionError("CONNECTION_LOST", _text(error) or "the connection broke (a stub)")
    if isinstance(error, type):
        try:
            return error()
        except TypeError as problem:
            raise ConfigurationError(f"give an instance of {error.__name__}: {problem}") from None
    # An exception that was raised before remembers where; a copy does not.
    try:
        return copy.copy(error)
    except Exception:
        return error


def _text(error: Exception | type[Exception]) -> str:
    return "" if isinstance(error, type) else str(error)
