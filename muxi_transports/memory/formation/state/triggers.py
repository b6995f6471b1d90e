"""Triggers: templates that an event fills, and that go to the agents as a message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muxi.errors import MissingExtraError
from muxi_transports.memory.yaml_text import BadYaml, load_yaml

__all__ = ["BadFrontMatter", "MissingData", "TriggerRouting", "TriggerTemplate"]

_PLACEHOLDER = re.compile(r"\$\{\{\s*data\.([A-Za-z0-9_.-]+?)\s*\}\}")
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n?(.*)", re.DOTALL)
_KEYS = {"name", "type", "webhook", "transformer", "parse", "model", "channel"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
#: The templates that come with the runtime.
_BUNDLED = frozenset({"discord", "email", "slack", "telegram"})


class MissingData(Exception):
    """An event lacks what the template takes."""


class BadFrontMatter(Exception):
    """The front matter of a template is not YAML."""


@dataclass(frozen=True)
class TriggerRouting:
    """The destination of a trigger's results, from its front matter.

    Args:
        webhook: the URL; None for none.
        transformer: the name of the template for the payload. Payloads themselves are not transformed here.
    """

    webhook: str | None = None
    transformer: str | None = None

    @property
    def problem(self) -> str | None:
        """The error of the transformer, or None."""
        if self.transformer is None:
            return None
        if self.transformer not in _BUNDLED:
            where = "/srv/formation/transformers"
            return f"transformer '{self.transformer}' not found in {where} (and no bundled template has that name)"
        if self.webhook is None:
            return (
                f"transformer '{self.transformer}' defines no 'endpoint.url' and the referencing trigger/channel "
                "supplies no destination URL; add 'endpoint.url' to the transformer, a 'webhook:' to the trigger "
                "frontmatter, or a 'url:' to the proactive channel declaration"
            )
        return None


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

    def routing(self) -> TriggerRouting:
        """Read the front matter.

        Raises:
            BadFrontMatter: it is invalid.
        """
        match = _FRONT_MATTER.fullmatch(self.content)
        matter = _read_yaml(match[1]) if match else None
        if matter is None:
            return TriggerRouting()
        if not isinstance(matter, dict):
            raise BadFrontMatter("trigger frontmatter must be a YAML mapping")
        if unknown := {str(key) for key in matter} - _KEYS:
            raise BadFrontMatter(
                f"unknown trigger frontmatter key(s): {sorted(unknown)}. Allowed keys: {sorted(_KEYS)}"
            )
        webhook, transformer = matter.get("webhook"), matter.get("transformer")
        if webhook is not None and not (isinstance(webhook, str) and webhook.strip()):
            raise BadFrontMatter("'webhook' must be a non-empty URL string")
        if webhook is not None and not webhook.startswith(("http://", "https://")):
            raise BadFrontMatter("'webhook' must be an http(s) URL")
        model = matter.get("model")
        for name, value in (("transformer", transformer), ("channel", matter.get("channel"))):
            if value is not None and not (isinstance(value, str) and _NAME.fullmatch(value)):
                characters = "letters, numbers, hyphens, and underscores"
                raise BadFrontMatter(f"'{name}' must be a name containing only {characters}")
        if model is not None and not (isinstance(model, str) and model.strip()):
            raise BadFrontMatter("'model' must be a non-empty string (alias or provider/model)")
        return TriggerRouting(webhook, transformer)

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
        raise MissingExtraError("a trigger with front matter needs PyYAML: pip install 'muxi-client[test]'") from None
    except BadYaml as error:
        raise BadFrontMatter(f"invalid YAML in trigger frontmatter: {error}") from None
