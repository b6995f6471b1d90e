"""Checks of calls that users make by hand, as values, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from muxi.call import Call, invalid_parameter
from muxi.redact import show_value
from muxi.transport.arguments import record_tests

__all__ = ["METHODS", "check_call", "check_path"]

#: The methods that the platform has; calls that are made as values may have others.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: A token (RFC 9110, section 5.6.2) without small letters: methods are compared as they are written.
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+").fullmatch

#: What is in these mappings is checked as it is written into the address, with an error that names it.
_TYPES: Mapping[str, object] = {"params": Mapping, "query": Mapping}


def check_call(call: object) -> None:
    """Refuse what is no call, and a call whose fields are no such thing.

    Operations have checked their arguments before they made a call of them; this is for those of ``send()``.

    Raises:
        ValidationError: with the name of the field. Values are not shown where they may be secret.
    """
    if not isinstance(call, Call):
        raise invalid_parameter("call", f"takes a Call, got {type(call).__name__}")
    kind: Any = type(call)  # mypy takes a class whose instances may have no hash for one without
    for name, (fits, described) in _tests_of(kind).items():
        value: object = getattr(call, name)
        if not fits(value):
            raise invalid_parameter(name, f"takes {described}, got {type(value).__name__}")
    if not _METHOD(call.method):
        raise invalid_parameter("method", f"is a word of HTTP in capitals, such as GET, got {show_value(call.method)}")
    check_path(call.path)


@cache
def _tests_of(kind: type[Call[Any]]) -> Mapping[str, tuple[Callable[[object], bool], str]]:
    return record_tests(kind, _TYPES)


def check_path(path: object) -> None:
    """Refuse a path that cannot be sent as it stands.

    Raises:
        ValidationError: it is no text, does not begin with one slash, or leads to another route.
    """
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise invalid_parameter("path", f"begins with one '/', got {show_value(path)}")
    if not {"?", "#"}.isdisjoint(path):
        raise invalid_parameter("path", f"has no query and no fragment; give query= ({path!r})")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise invalid_parameter("path", f"is not percent-encoded; give what callers choose with params= ({path!r})")
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise invalid_parameter("path", f"has segments of dots, which lead to another route ({path!r})")
