"""The YAML document of a script as a tree whose values keep their line numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from muxi.errors import MissingExtraError

if TYPE_CHECKING:
    from yaml.nodes import Node

__all__ = [
    "MappingNode",
    "Problems",
    "ScalarNode",
    "ScriptError",
    "SequenceNode",
    "TreeNode",
    "describe",
    "parse_tree",
    "plain_data",
]

#: Levels of nesting that are read. A document that contains itself exceeds any number.
_DEPTH = 30
#: Values that are read, aliases expanded.
_SIZE = 100_000


class ScriptError(Exception):
    """A script has errors. The message lists all of them."""


class ScalarNode(str):
    """A scalar as it is written: ``no`` and ``1.0`` are texts too.

    Args:
        node: the YAML node.
    """

    __slots__ = ("node",)

    def __new__(cls, node: Node) -> ScalarNode:
        self = super().__new__(cls, str(node.value))
        self.node = node
        return self

    node: Node

    @property
    def is_null(self) -> bool:
        """True for an empty value, ``~`` and ``null``."""
        return str(self.node.tag).endswith(":null")

    @property
    def is_bool(self) -> bool:
        """True for ``true``, ``false`` and YAML's other words for them."""
        return str(self.node.tag).endswith(":bool")


class MappingNode(dict[str, "TreeNode"]):
    """A mapping.

    Args:
        node: the YAML node.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        #: The line of each key.
        self.lines: dict[str, int] = {}


class SequenceNode(list["TreeNode"]):
    """A list.

    Args:
        node: the YAML node.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node


TreeNode: TypeAlias = "ScalarNode | MappingNode | SequenceNode"


class Problems:
    """The errors of a document.

    Args:
        file: its name.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, path: str, problem: str) -> None:
        """Add an error.

        Args:
            line: the line, from 1.
            path: the keys that lead there, such as ``replies[0].pattern``.
            problem: the text.
        """
        self._found.append((line, f"  {self._file}:{line}: {path + ': ' if path else ''}{problem}"))

    def add_messages(self, messages: object, root: TreeNode) -> None:
        """Add the errors of a marshmallow schema, each with the line of its value.

        Args:
            messages: ``ValidationError.messages``.
            root: the tree that was loaded.
        """
        self._add_below(messages, root, "", _line(root))

    def _add_below(self, messages: object, place: TreeNode | None, path: str, line: int) -> None:
        if isinstance(messages, Mapping):
            for key, below in messages.items():
                if key == "_schema":
                    self._add_below(below, place, path, line)
                elif isinstance(place, SequenceNode) and isinstance(key, int):
                    self._add_below(below, place[key], f"{path}[{key}]", _line(place[key]))
                elif isinstance(place, MappingNode) and key in place:
                    self._add_below(below, place[key], _below(path, str(key)), place.lines[key])
                else:
                    self.add(line, path, f"{key!r} is missing")
        elif isinstance(messages, Sequence) and not isinstance(messages, str):
            for below in messages:
                self._add_below(below, place, path, line)
        else:
            self.add(line, path, str(messages))

    def check(self) -> None:
        """Raise all errors as one.

        Raises:
            ScriptError: there are errors.
        """
        if self._found:
            count = len(self._found)
            lines = [text for _, text in sorted(self._found, key=lambda found: found[0])]
            title = f"{self._file} has {'an error' if count == 1 else f'{count} errors'}:"
            raise ScriptError("\n".join([title, *lines]))


def describe(value: object) -> str:
    """Name a value in a message."""
    if isinstance(value, ScalarNode):
        return "nothing" if value.is_null else repr(str(value))
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else repr(value)


def parse_tree(text: str, problems: Problems) -> TreeNode | None:
    """Parse a YAML document.

    Args:
        text: the document.
        problems: gets the errors: what is not YAML, duplicate keys, too many levels.

    Returns:
        The tree; None for an empty document and for one that is not YAML.

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
    return None if node is None else _Builder(problems).build(node)


def plain_data(value: TreeNode) -> Any:
    """Construct the Python value of a part of the tree, with YAML's types.

    Raises:
        ValueError: the value is not valid YAML of its type.
    """
    from yaml import SafeLoader, YAMLError

    try:
        return SafeLoader("").construct_object(value.node, deep=True)
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


class _Builder:
    """Turns YAML nodes into a tree."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._size = 0

    def build(self, node: Node) -> TreeNode | None:
        """Build the tree; None if it is too deep or too large."""
        try:
            return self._build(node, "", 0)
        except _TooLarge as error:
            self._problems.add(error.line, error.path, str(error))
            return None

    def _build(self, node: Node, path: str, depth: int) -> TreeNode:
        self._size += 1
        if depth > _DEPTH:
            raise _TooLarge(f"this goes too deep (more than {_DEPTH} levels)", node, path)
        if self._size > _SIZE:
            raise _TooLarge(f"this is too large (more than {_SIZE} values, aliases expanded)", node, path)
        kind = type(node).__name__
        if kind == "SequenceNode":
            items = SequenceNode(node)
            items.extend(self._build(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value))
            return items
        if kind != "MappingNode":
            return ScalarNode(node)
        found = MappingNode(node)
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                self._problems.add(line, path, "a name is expected here")
            elif key.value in found:
                self._problems.add(line, _below(path, key.value), "duplicate key")
            else:
                found.lines[key.value] = line
                found[key.value] = self._build(value, _below(path, key.value), depth + 1)
        return found


class _TooLarge(Exception):
    def __init__(self, message: str, node: Node, path: str) -> None:
        super().__init__(message)
        self.line: int = node.start_mark.line + 1
        self.path = path


def _line(place: TreeNode) -> int:
    line: int = place.node.start_mark.line + 1
    return line


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
