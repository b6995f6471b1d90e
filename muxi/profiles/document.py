"""YAML files that are changed in place: all that is not changed stays as it was, with its quotes and unknown fields."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from muxi.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from yaml import MappingNode, Node

__all__ = ["Document", "Scalar"]


class Scalar(NamedTuple):
    """A value of a file, as text, with its line (from 1)."""

    text: str
    line: int


class Document:
    """One YAML file, a mapping of mappings of texts.

    Args:
        path: the file; one that does not exist is empty.

    Raises:
        MissingExtraError: PyYAML is not installed.
        ConfigurationError: the file is not a mapping in YAML, or cannot be read. No content of it is in the message.
    """

    def __init__(self, path: str) -> None:
        self.path: str = path
        self._root = self._read()

    @property
    def exists(self) -> bool:
        """True if there is such a file, and something in it."""
        return self._root is not None

    def names(self, *keys: str) -> list[str]:
        """Return the keys of a mapping in the file, in their order; none where there is no such mapping."""
        found = self._mapping(keys)
        return [] if found is None else [key.value for key, _ in found.value]

    def get(self, *keys: str) -> Scalar | None:
        """Return a value, or None where it is missing, empty, null or not a scalar."""
        found = self._mapping(keys[:-1])
        if found is None:
            return None
        for key, value in found.value:
            if key.value == keys[-1] and value.id == "scalar" and not value.tag.endswith(":null"):
                return Scalar(value.value, value.start_mark.line + 1) if value.value else None
        return None

    def line(self, *keys: str) -> int:
        """Return the line of a key; 0 without one."""
        found = self._mapping(keys[:-1])
        lines = [key.start_mark.line + 1 for key, _ in found.value if key.value == keys[-1]] if found else []
        return lines[0] if lines else 0

    def set(self, *keys: str, text: str, tag: str = "str") -> None:
        """Set a value; mappings that are missing are added, and one in the way is replaced.

        Args:
            keys: the keys that lead to it.
            text: the value.
            tag: its type in YAML; a text is written in quotes, anything else (``timestamp``) plain.
        """
        yaml = _yaml()
        node = self._root = self._root or _new_mapping(yaml)
        for depth, key in enumerate(keys[:-1], 1):
            inner = self._mapping(keys[:depth])
            if inner is None:
                _put(node, key, inner := _new_mapping(yaml))
            node = inner
        # In quotes no reader takes a text for a number, a date or a boolean.
        _put(node, keys[-1], yaml.ScalarNode(f"tag:yaml.org,2002:{tag}", text, style='"' if tag == "str" else None))

    def copy(self, source: Document, *keys: str, to: str) -> None:
        """Put a mapping of another document into this one, with whatever is in it.

        Args:
            source: the other document.
            keys: the keys that lead to the mapping.
            to: its key here.
        """
        found = source._mapping(keys)
        if found is not None:
            self._root = self._root or _new_mapping(_yaml())
            _put(self._root, to, found)

    def remove(self, *keys: str) -> None:
        """Remove a value or a mapping, where there is one."""
        found = self._mapping(keys[:-1])
        if found is not None:
            found.value = [pair for pair in found.value if pair[0].value != keys[-1]]

    def write(self, mode: int = 0o600) -> None:
        """Write the file, whole or not at all.

        Args:
            mode: its permissions, whatever they were before.

        Raises:
            OSError: it cannot be written.
        """
        # A link, such as one into a repository of settings, is kept; its target is replaced.
        path = os.path.realpath(self.path)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        yaml = _yaml()
        text: str = yaml.serialize(self._root, Dumper=yaml.SafeDumper, allow_unicode=True, width=10_000)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".tmp")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def _mapping(self, keys: tuple[str, ...]) -> MappingNode | None:
        node = self._root
        for key in keys:
            if node is None:
                return None
            found = (value for name, value in node.value if name.value == key and value.id == "mapping")
            node = next(found, None)
        return node

    def _read(self) -> MappingNode | None:
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"{self.path} cannot be read: {reason}") from None
        yaml = _yaml()
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            # The message of PyYAML quotes the line, which may hold a key.
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            raise ConfigurationError(f"{self.path}{line}: this is not YAML") from None
        except RecursionError:
            raise ConfigurationError(f"{self.path}: it is nested too deeply") from None
        if root is None or (root.id == "scalar" and root.tag.endswith(":null")):
            return None
        if root.id != "mapping":
            raise ConfigurationError(f"{self.path}: this is not a mapping of settings")
        found: MappingNode = root
        return found


def _yaml() -> ModuleType:
    try:
        import yaml
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise MissingExtraError("profiles need PyYAML: pip install 'muxi-client[cli]'") from error
    return yaml


def _new_mapping(yaml: ModuleType) -> MappingNode:
    node: MappingNode = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False)
    return node


def _put(mapping: MappingNode, key: str, value: Node) -> None:
    mapping.flow_style = False  # `profiles: {}` becomes a block when it gets an entry
    for index, (name, _) in enumerate(mapping.value):
        if name.value == key:
            mapping.value[index] = (name, value)
            return
    # Without a style it is plain where that is a text, and in quotes otherwise.
    mapping.value.append((_yaml().ScalarNode("tag:yaml.org,2002:str", key), value))
