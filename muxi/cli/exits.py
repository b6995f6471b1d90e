"""Exit codes: how each kind of error ends the command."""

from __future__ import annotations

from enum import IntEnum

from muxi.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    MissingExtraError,
    MuxiError,
    NotFoundError,
    ValidationError,
)

__all__ = ["CommandFailure", "Exit", "exit_of"]


class Exit(IntEnum):
    """Exit codes of ``muxi-client``."""

    DONE = 0
    FAILED = 1
    #: Wrong use: arguments, settings, a payload that is invalid before it is sent.
    MISUSED = 2
    #: A key or a signature was refused.
    REFUSED = 3
    NOT_FOUND = 4
    #: 128 and the number of SIGINT.
    INTERRUPTED = 130


class CommandFailure(Exception):
    """The end of a command with one line on stderr.

    Args:
        message: the line; empty where the command has printed enough.
        code: the exit code.
    """

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def exit_of(error: BaseException) -> Exit:
    """Return the exit code for an error."""
    if isinstance(error, CommandFailure):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, AuthenticationError | AuthorizationError):
        return Exit.REFUSED
    if isinstance(error, NotFoundError):
        return Exit.NOT_FOUND
    if isinstance(error, MissingExtraError):
        return Exit.FAILED
    if isinstance(error, ConfigurationError):
        return Exit.MISUSED
    if isinstance(error, ValidationError) and _is_own(error):
        return Exit.MISUSED
    assert isinstance(error, MuxiError | OSError | UnicodeError), error  # noqa: S101  what app.run() catches
    return Exit.FAILED


def _is_own(error: ValidationError) -> bool:
    """Return whether the payload was refused here, before it was sent."""
    return not error.status_code and "validation_errors" in error.details and not error.code.startswith("ANSWER_")
