"""Errors of answers. Their texts hold at most forty bytes of an answer, and nothing of the request."""

from __future__ import annotations

import http.client

from muxi_transports.http1.rules import EARLY_END, FramingRule

__all__ = ["AnswerError", "IncompleteAnswer", "MalformedAnswer", "NoAnswer"]

_SHOWN = 40


class AnswerError(http.client.HTTPException):
    """The answer cannot be read.

    Args:
        message: the text of the error.
        rule: the rule that the answer breaks.
    """

    def __init__(self, message: str, rule: FramingRule) -> None:
        super().__init__(message)
        self.rule = rule


class MalformedAnswer(AnswerError):
    """The answer breaks a rule of HTTP/1.1, or exceeds a limit.

    Args:
        rule: the rule.
        near: the bytes at which the rule is broken; the first forty are shown.
    """

    def __init__(self, rule: FramingRule, near: bytes | str = b"") -> None:
        shown = near if isinstance(near, bytes) else near[:_SHOWN].encode("latin-1")
        at = f" at {shown[:_SHOWN]!r}" if shown else ""
        super().__init__(f"the answer breaks the rule {rule.name} ({rule.section}){at}: {rule.received}", rule)


class IncompleteAnswer(AnswerError):
    """The connection ended before the answer."""

    def __init__(self, message: str = "the connection ended before the answer did") -> None:
        super().__init__(message, EARLY_END)


class NoAnswer(IncompleteAnswer):
    """The connection ended before the first byte of the answer."""

    def __init__(self) -> None:
        super().__init__("the connection ended without an answer")
