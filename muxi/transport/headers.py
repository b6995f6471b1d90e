"""HTTP headers as the transports and the plugins see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, cast

from muxi.errors import ConfigurationError, ValidationError
from muxi.redact import REDACTED, is_secret_header, show_value
from muxi.surrogates import has_half

__all__ = ["Headers"]

#: A header's name (RFC 9110, section 5.1), and what must not be in its value.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_BREAKS_OUT = re.compile(r"[\r\n\0]").search


class Headers:
    """HTTP headers: names compare without regard to case, a name may come more than once, order is kept.

    Args:
        items: a mapping, or pairs of name and value.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Headers | Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, list[tuple[str, str]]] = {}
        if isinstance(items, Headers):
            self._items = {key: list(pairs) for key, pairs in items._items.items()}
        else:
            pairs = cast(Mapping[str, str], items).items() if isinstance(items, Mapping) else items
            try:
                for name, value in pairs:
                    self.add(name, value)
            except (TypeError, ValueError):
                raise ConfigurationError(
                    f"headers are a mapping or pairs of name and value, got {type(items).__name__}"
                ) from None

    def add(self, name: str, value: str) -> None:
        """Add a value, beside those that the name may have already.

        Raises:
            ValidationError: the name or the value would break out of its line (RFC 9110, section 5.5).
        """
        _check_header(name, value)
        self._items.setdefault(name.lower(), []).append((name, value))

    def __setitem__(self, name: str, value: str) -> None:
        _check_header(name, value)
        self._items[name.lower()] = [(name, value)]

    def setdefault(self, name: str, value: str) -> str:
        """Set a value unless the name has one; return the one it has now."""
        if name not in self:
            self[name] = value
        return self[name]

    def __getitem__(self, name: str) -> str:
        return _joined(self._items[name.lower()])

    def get(self, name: str, default: str | None = None) -> str | None:
        """All values of a name joined by commas, or the default."""
        pairs = self._items.get(name.lower())
        return default if pairs is None else _joined(pairs)

    def get_all(self, name: str) -> list[str]:
        """The values of a name, one by one."""
        return [value for _, value in self._items.get(name.lower(), ())]

    def pop(self, name: str, default: str | None = None) -> str | None:
        """Remove a name; return what it had."""
        value = self.get(name, default)
        self._items.pop(name.lower(), None)
        return value

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (pairs[0][0] for pairs in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> list[str]:
        """Return each name once, so that ``dict(headers)`` has them all."""
        return list(self)

    def items(self) -> Iterator[tuple[str, str]]:
        """Every name and value, duplicates one by one."""
        for pairs in self._items.values():
            yield from pairs

    def copy(self) -> Headers:
        """The same headers, independent of these."""
        return Headers(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return {key: self.get_all(key) for key in self._items} == {key: other.get_all(key) for key in other._items}

    __hash__: ClassVar[None]  # type: ignore[assignment]  # mutable, so not to be hashed

    def __repr__(self) -> str:
        shown = ((name, REDACTED if is_secret_header(name) else value) for name, value in self.items())
        return f"Headers({list(shown)!r})"


def _joined(pairs: list[tuple[str, str]]) -> str:
    """The values of a name joined by commas; nearly always there is one."""
    return pairs[0][1] if len(pairs) == 1 else ", ".join([value for _, value in pairs])


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not _NAME(name):
        raise ValidationError("INVALID_HEADER", f"{show_value(name)} is not a header name")
    if not isinstance(value, str):
        raise _invalid(name, f"is a {type(value).__name__}, not a text")
    if _BREAKS_OUT(value):
        raise _invalid(name, "has a line break or a NUL in it")
    if has_half(value):
        raise _invalid(name, "has half of a surrogate pair in it, which UTF-8 cannot encode")


def _invalid(name: str, problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_HEADER",
        f"the value of the header {name} {problem}",
        details={"validation_errors": [{"field": name, "msg": problem}]},
    )
