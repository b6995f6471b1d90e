"""Misspelt fields of payloads: the platform ignores a field that it does not know, and so would everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import get_args

from muxi import types
from muxi.schemas.payloads import payload_type
from muxi.schemas.shapes import Hint, hints_of, is_record, options_of, origin_of

__all__ = ["misspelt_fields"]

#: Similarity from which an unknown field is taken for a misspelt one.
_SIMILAR = 0.75

#: Items of a list that are looked at, and fields of one mapping.
_MOST = 100

#: Unknown fields of one payload that are compared with known ones: the comparison takes long, and a payload may have
#: been put together from what others sent.
_MOST_COMPARED = 100


def misspelt_fields(schema: str, body: object) -> Iterator[tuple[str, str]]:
    """Yield the fields that a payload's type does not have and that are similar to one that it has.

    Args:
        schema: name of the payload's schema.
        body: the payload, as it is sent.

    Yields:
        The field with its place (``items.message``), and the name it is similar to.
    """
    # What callers are shown (muxi.types) may have fields that the check of the payload leaves to the platform.
    shown: object = getattr(types, schema, None)
    also = frozenset(hints_of(shown)[0]) if is_record(shown) else frozenset[str]()
    unknown = islice(_unknown_fields(payload_type(schema), body, "", also), _MOST_COMPARED)
    for place, name, candidates in unknown:
        for near in get_close_matches(name, candidates, 1, _SIMILAR):
            yield place, near


def _unknown_fields(
    hint: Hint, value: object, place: str, also: frozenset[str]
) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield the place and name of each field that a type does not have, with the names that it could be meant for."""
    for option in options_of(hint):
        inner = getattr(option, "__origin__", option) if hasattr(option, "__metadata__") else option
        if is_record(inner) and isinstance(value, Mapping):
            fields, _ = hints_of(inner)
            known = also.union(fields)
            longest = 2 * max(map(len, known))
            for name, item in islice(value.items(), _MOST):
                if name in fields:
                    yield from _unknown_fields(fields[name], item, f"{place}{name}.", frozenset())
                elif name not in known and isinstance(name, str) and len(name) <= longest:
                    yield f"{place}{name}", name, known - value.keys()
        elif origin_of(inner) is list and isinstance(value, list):
            for item in value[:_MOST]:
                yield from _unknown_fields(get_args(inner)[0], item, place, frozenset())
