"""Structured answers: the text of an answer, parsed as JSON and loaded by the caller's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import marshmallow

from muxi.errors import ValidationError
from muxi.schemas import flatten

__all__ = ["load_answer"]

T = TypeVar("T")

#: A fence around a whole text. The fences of a block in prose are lines of their own.
_WHOLE = re.compile(r"```(?:json)?(.*)```", re.DOTALL | re.IGNORECASE)
_FENCES = ("```", "```json")


def load_answer(text: str, load: Callable[[Any], T], request_id: str | None = None) -> T:
    """Parse an answer's text and load it.

    Args:
        text: JSON; a fence around it (three backticks, perhaps with ``json``) is accepted, and prose around one
            fenced block.
        load: the function that loads it, and raises marshmallow's ``ValidationError`` or a ``ValueError`` (as
            pydantic's is) where it does not fit.
        request_id: request id of the turn.

    Raises:
        ValidationError: ``ANSWER_NOT_JSON`` or ``ANSWER_INVALID``; ``details["text"]`` has the text,
            ``details["validation_errors"]`` every wrong field.
    """
    data = _read(text, request_id)
    try:
        return load(data)
    except (marshmallow.ValidationError, ValueError) as error:
        problems = list(_problems_of(error))
        raise _answer_error(
            "ANSWER_INVALID", "the answer does not fit the schema", text, problems, request_id
        ) from error


def _problems_of(error: Exception) -> Iterator[dict[str, str]]:
    """Yield the wrong fields that an error of a schema or model names."""
    errors: Any = getattr(error, "errors", None)
    if isinstance(error, marshmallow.ValidationError):
        yield from flatten(error.messages)
    elif callable(errors):  # pydantic's
        problems: Any = errors()
        for problem in problems:
            yield {"field": ".".join(map(str, problem["loc"])), "msg": str(problem["msg"])}
    else:
        yield {"field": "", "msg": str(error)}


def _read(text: str, request_id: str | None) -> Any:
    for candidate in _candidates(text.strip()):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    problem = {"field": "", "msg": "Not JSON."}
    raise _answer_error("ANSWER_NOT_JSON", "the answer is not JSON", text, [problem], request_id)


def _candidates(text: str) -> list[str]:
    candidates = [text]
    if whole := _WHOLE.fullmatch(text):
        candidates.append(whole[1])
    blocks = _find_blocks(text)
    if len(blocks) == 1:
        candidates.extend(blocks)
    return candidates


def _find_blocks(text: str) -> list[str]:
    """Return the contents of the fenced blocks in a text."""
    blocks: list[str] = []
    block: list[str] | None = None
    for line in text.splitlines(keepends=True):
        fence = line.strip().lower()
        if block is None and fence in _FENCES:
            block = []
        elif block is not None and fence == "```":
            blocks.append("".join(block))
            block = None
        elif block is not None:
            block.append(line)
    return blocks


def _answer_error(
    code: str, message: str, text: str, problems: list[dict[str, str]], request_id: str | None
) -> ValidationError:
    details: Mapping[str, Any] = {"text": text, "validation_errors": problems}
    return ValidationError(code, message, details=details, request_id=request_id)
