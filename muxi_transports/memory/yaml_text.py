"""YAML from outside, read with a bound on its nesting. PyYAML is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml.nodes import Node

__all__ = ["BadYaml", "load_yaml"]

#: Levels of nesting that are read. PyYAML needs two frames of the interpreter's stack for each.
_DEPTH = 100


class BadYaml(ValueError):
    """A document that is not YAML, or is nested too deeply."""


def load_yaml(text: str, *, only_texts: bool = False) -> object:
    """Load a document.

    Args:
        text: the document.
        only_texts: whether scalars are left as they are written.

    Raises:
        BadYaml: the document cannot be read.
        ModuleNotFoundError: PyYAML is not installed.
    """
    import yaml

    try:
        loader = (yaml.BaseLoader if only_texts else yaml.SafeLoader)(text)
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise BadYaml(str(error)) from error
    compose = loader.compose_node
    depth = 0

    def compose_bounded(parent: Node | None, index: int) -> Node | None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise yaml.YAMLError(f"the document is nested too deeply (more than {_DEPTH} levels)")
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = compose_bounded  # type: ignore[method-assign]  # PyYAML calls it through the instance
    try:
        document: object = loader.get_single_data()
    except yaml.YAMLError as error:
        raise BadYaml(str(error)) from error
    finally:
        loader.dispose()
    return document
