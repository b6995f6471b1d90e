"""The JSON bodies of requests, as the server's language reads them into a struct of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from muxi.surrogates import replace_halves
from muxi.transport import Body

__all__ = ["read_texts"]


def read_texts(body: Body | None, names: Iterable[str]) -> dict[str, str]:
    """The texts of these names; empty where one is null or not there. Other names are ignored.

    Raises:
        ValueError: the body is no JSON object, or one of the names has something else than a text.
    """
    content = b"".join(body.chunks()) if body else b""
    try:
        parsed: object = json.loads(content.decode("utf-8", "replace"), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if parsed is None:
        parsed = {}  # a null leaves the struct as it is
    if not isinstance(parsed, dict):
        raise ValueError("no object")
    return {name: _text(parsed.get(name)) for name in names}


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("no text")
    return replace_halves(value)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
