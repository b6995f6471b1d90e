"""HTTP/1.1 without I/O (RFC 9112): a reader of answers that is linear, bounded and strict, and heads of requests.

:data:`RULES` says what of an answer is accepted and what is refused.
"""

from __future__ import annotations

from muxi_transports.http1.answer import AnswerReader
from muxi_transports.http1.errors import AnswerError, IncompleteAnswer, MalformedAnswer, NoAnswer
from muxi_transports.http1.head import Head
from muxi_transports.http1.request import LAST_CHUNK, chunk, framing_field, request_head
from muxi_transports.http1.rules import RULES, FramingRule

__all__ = [
    "LAST_CHUNK",
    "RULES",
    "AnswerError",
    "AnswerReader",
    "FramingRule",
    "Head",
    "IncompleteAnswer",
    "MalformedAnswer",
    "NoAnswer",
    "chunk",
    "framing_field",
    "request_head",
]
