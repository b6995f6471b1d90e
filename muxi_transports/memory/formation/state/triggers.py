"""Triggers: templates that an event fills, and that go to the agents as a message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muxi.errors import ConfigurationError
from muxi_transports.memory.yaml_text import BadYaml, load_yaml

__all__ = ["BadFrontMatter", "MissingData", "TriggerTemplate"]

_PLACEHOLDER = re.compile(r"\$\{\{\s*data\.([A-Za-z0-9_.-]+?)\s*\}\}")
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n?(.*)", re.DOTALL)


class MissingData(Exception):
    """An event lacks what the template takes."""


class BadFrontMatter(Exception):
    """The front matter of a template is not YAML."""


@dataclass(frozen=True)
class TriggerTemplate:
    """One template.

    Args:
        name: letters, digits, hyphens and underscores.
        content: the whole template, front matter included.
    """

    name: str
    content: str

    @property
    def fields(self) -> list[str]:
        """The data it takes, in the order of first use, as dotted paths."""
        return list(dict.fromkeys(_PLACEHOLDER.findall(self.content)))

    def webhook(self) -> str | None:
        """The URL for its results; None if the front matter names no ``webhook``.

        Raises:
            BadFrontMatter: it cannot be read.
        """
        match = _FRONT_MATTER.fullmatch(self.content)
        if match is None:
            return None
        matter = _read_yaml(match[1])
        webhook = matter.get("webhook") if isinstance(matter, dict) else None
        return webhook if isinstance(webhook, str) else None

    def render(self, data: Mapping[str, object]) -> str:
        """The message for an event.

        Raises:
            MissingData: the event lacks something.
        """
        match = _FRONT_MATTER.fullmatch(self.content)
        text = match[2] if match else self.content
        return _PLACEHOLDER.sub(lambda found: _value(data, found[1]), text).strip()


def _value(data: Mapping[str, object], path: str) -> str:
    value: object = data
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise MissingData(f"Data key 'data.{path}' not found. Available keys: {list(data)}")
        value = value[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_yaml(text: str) -> Any:
    try:
        return load_yaml(text)
    except ImportError:
        raise ConfigurationError("a trigger with front matter needs PyYAML: pip install 'muxi-client[test]'") from None
    except BadYaml as error:
        raise BadFrontMatter(f"invalid YAML in trigger frontmatter: {error}") from None
