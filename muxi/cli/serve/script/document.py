"""A YAML document whose values know where they are, so that every mistake is told with its line and its keys."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from muxi.errors import MissingExtraError

if TYPE_CHECKING:
    from yaml.nodes import Node

__all__ = ["Entry", "Problems", "ScriptError", "open_document"]

#: Deeper than this nobody writes; a document that contains itself goes there.
_DEPTH = 30


class ScriptError(Exception):
    """A script has mistakes; the message has all of them."""


class Problems:
    """The mistakes of a document.

    Args:
        file: what it is called.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, path: str, problem: str) -> None:
        """Note a mistake."""
        self._found.append((line, f"  {self._file}:{line}: {path + ': ' if path else ''}{problem}"))

    def check(self) -> None:
        """Tell of all mistakes.

        Raises:
            ScriptError: there are some.
        """
        if self._found:
            count = len(self._found)
            lines = [text for _, text in sorted(self._found, key=lambda found: found[0])]
            title = f"{self._file} has {'a mistake' if count == 1 else f'{count} mistakes'}:"
            raise ScriptError("\n".join([title, *lines]))


class Entry:
    """A value of a document, and where it is. What reads it notes what is wrong and gives nothing.

    Args:
        node: the value.
        path: the keys that lead there.
        problems: where mistakes go.
    """

    def __init__(self, node: Node, path: str, problems: Problems) -> None:
        self._node = node
        self._path = path
        self._problems = problems

    def wrong(self, problem: str) -> None:
        """Note a mistake here."""
        self._problems.add(self._node.start_mark.line + 1, self._path, problem)

    @property
    def kind(self) -> str:
        """``mapping``, ``sequence`` or ``scalar``."""
        return {"MappingNode": "mapping", "SequenceNode": "sequence"}.get(type(self._node).__name__, "scalar")

    @property
    def is_text(self) -> bool:
        """Whether it is a plain value that is not empty."""
        return self.kind == "scalar" and not self._node.tag.endswith(":null")

    def fields(self, known: Collection[str] | None = None, *, required: Collection[str] = ()) -> dict[str, Entry]:
        """The values of a mapping by name.

        Args:
            known: the names it may have; any if None.
            required: those it must have.
        """
        if self.kind != "mapping":
            self.wrong(f"a mapping is expected here ({', '.join(known or ('name: value',))}), not {self._described()}")
            return {}
        if self._path.count(".") + self._path.count("[") > _DEPTH:
            self.wrong("this goes too deep")
            return {}
        found: dict[str, Entry] = {}
        for key, value in self._node.value:
            name, entry = str(key.value), Entry(value, self._below(str(key.value)), self._problems)
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                self._problems.add(line, self._path, "a name is expected here")
            elif name in found:
                self._problems.add(line, entry._path, "this is here for the second time")
            elif known is not None and name not in known:
                self._problems.add(line, entry._path, f"there is no such key; there are {', '.join(known)}")
            else:
                found[name] = entry
        for name in required:
            if name not in found:
                self.wrong(f"{name!r} is missing")
        return found

    def items(self) -> Iterator[Entry]:
        """The values of a list."""
        if self.kind != "sequence":
            self.wrong(f"a list is expected here, not {self._described()}")
            return
        if self._path.count("[") > _DEPTH:
            self.wrong("this goes too deep")
            return
        for number, node in enumerate(self._node.value):
            yield Entry(node, f"{self._path}[{number}]", self._problems)

    def text(self) -> str:
        """A text, as it is written: ``no`` and ``1.0`` are texts too."""
        if not self.is_text:
            self.wrong(f"a text is expected here, not {self._described()}")
            return ""
        return str(self._node.value)

    def number(self, *, least: float = 0.0) -> float:
        """A number."""
        try:
            found = float(self._node.value) if self.kind == "scalar" else math.nan
        except ValueError:
            found = math.nan
        if not least <= found < math.inf:
            self.wrong(f"a number is expected here that is not less than {least:g}, not {self._described()}")
            return least
        return found

    def flag(self) -> bool:
        """True or false."""
        if self.kind != "scalar" or not self._node.tag.endswith(":bool"):
            self.wrong(f"true or false is expected here, not {self._described()}")
            return False
        return str(self._node.value).lower() in ("true", "yes", "on")

    def value(self) -> Any:
        """Whatever it is, as plain data."""
        from yaml import SafeLoader, YAMLError

        try:
            return SafeLoader("").construct_object(self._node, deep=True)
        except YAMLError as error:
            self.wrong(" ".join(str(error).split()))
            return None

    def _below(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _described(self) -> str:
        if self.kind == "scalar":
            return f"{self._node.value!r}" if self.is_text else "nothing"
        return "a list" if self.kind == "sequence" else "a mapping"


def open_document(text: str, problems: Problems) -> Entry | None:
    """The document of a text; None where there is nothing in it, or it is no YAML.

    Raises:
        ConfigurationError: PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("a script needs PyYAML: pip install 'muxi-client[cli]'") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, "", f"this is no YAML: {error.problem or error.context}")
        return None
    except (yaml.YAMLError, RecursionError) as error:
        problems.add(1, "", f"this is no YAML: {' '.join(str(error).split())}")
        return None
    return None if node is None else Entry(node, "", problems)
