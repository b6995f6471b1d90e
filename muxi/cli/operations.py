"""The operations of both clients, found from their methods: names, parameters, and values from texts."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from muxi.cli.lazy import unknown

__all__ = ["CatalogueEntry", "arguments_of", "catalogue", "find_operation"]

#: Parameters that a text cannot stand for.
_UNSPOKEN = frozenset({"progress"})


class CatalogueEntry(NamedTuple):
    """One method of a client."""

    #: ``formation`` or ``server``.
    client: str
    name: str
    #: ``operation``, ``procedure``, ``stream`` or ``pages``.
    kind: str
    function: Any

    @property
    def full_name(self) -> str:
        """The name with its client: ``formation.get_agents``."""
        return f"{self.client}.{self.name}"

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Parameters that can be given as texts."""
        found = list(inspect.signature(self.function).parameters.values())[1:]
        return {parameter.name: parameter for parameter in found if parameter.name not in _UNSPOKEN}

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def usage(self) -> str:
        """The parameters as they are written: required ones first, others in brackets."""
        parts = [
            f"{name}=…" if parameter.default is parameter.empty else f"[{name}=…]"
            for name, parameter in self.parameters.items()
        ]
        return " ".join([self.full_name, *parts])


def catalogue() -> list[CatalogueEntry]:
    """Return the operations of both clients, by name."""
    from muxi.formation import FormationClient, FormationOperations
    from muxi.server import ServerClient, ServerOperations

    found: list[CatalogueEntry] = []
    for client, operations, cls in (
        ("formation", FormationOperations, FormationClient),
        ("server", ServerOperations, ServerClient),
    ):
        found += [
            CatalogueEntry(client, name, kind, getattr(cls, name)) for name, kind in _endpoints(operations).items()
        ]
    return sorted(found, key=lambda entry: (entry.name, entry.client))


def _endpoints(operations: type) -> dict[str, str]:
    from muxi.client.endpoints import Endpoint

    return {
        name: type(value).__name__
        for base in reversed(operations.__mro__)
        for name, value in vars(base).items()
        if isinstance(value, Endpoint) and not name.startswith("_")
    }


def find_operation(name: str) -> CatalogueEntry:
    """Return the operation of a name, with or without its client.

    Raises:
        UsageError: there is none, or both clients have one; the message names what is meant.
    """
    known = catalogue()
    found = [entry for entry in known if name in (entry.name, entry.full_name)]
    if len(found) == 1:
        return found[0]
    if found:
        both = "\n  ".join(f"{entry.full_name}  {entry.summary}" for entry in found)
        raise click.UsageError(f"both clients have {name!r}; name the one that is meant:\n  {both}")
    names = [entry.full_name if "." in name else entry.name for entry in known]
    raise click.UsageError(unknown("operation", name, names).replace("--help for all", "call --list for all"))


def arguments_of(entry: CatalogueEntry, texts: Sequence[str]) -> dict[str, Any]:
    """Return the arguments that texts stand for.

    Args:
        entry: the operation.
        texts: ``name=value``, ``name:=JSON``, ``name=@FILE`` or ``name:=@FILE``; or values alone, in the order of the
            parameters.

    Raises:
        UsageError: a name is unknown or given twice, or a value does not fit; the message has the name.
    """
    parameters = entry.parameters
    given: dict[str, Any] = {}
    places = list(parameters)
    for text in texts:
        name, is_json, value = _split(text)
        if name is None:
            places = [place for place in places if place not in given]
            if not places:
                raise click.UsageError(f"{entry.full_name} takes no further argument {text!r}; {_listed(parameters)}")
            name = places[0]
        if name not in parameters:
            raise click.UsageError(unknown("argument", name, list(parameters)))
        if name in given:
            raise click.UsageError(f"{name} is given twice")
        given[name] = _value(entry, name, value, is_json=is_json)
    return given


def missing_arguments(entry: CatalogueEntry, given: Mapping[str, Any]) -> list[str]:
    """Return the names of parameters without a default that are not given."""
    return [
        name
        for name, parameter in entry.parameters.items()
        if parameter.default is parameter.empty and name not in given
    ]


def _split(text: str) -> tuple[str | None, bool, str]:
    """Return name, whether the value is JSON, and the value."""
    before, equals, value = text.partition("=")
    is_json = before.endswith(":")
    name = before.removesuffix(":")
    if not equals or not name.isidentifier():
        return None, False, text
    return name, is_json, value


def _value(entry: CatalogueEntry, name: str, text: str, *, is_json: bool) -> Any:
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    if name == "schema" and not is_json:
        from muxi.cli.json_schema import JsonSchema

        try:
            return JsonSchema(json.loads(text))
        except ValueError as error:
            raise click.UsageError(f"{name}: {error}") from None
    kinds = _kinds(typing.get_type_hints(entry.function).get(name, str))
    if not is_json and str in kinds and not (text[:1] in ("{", "[") and kinds & {dict, list}):
        return text
    if not is_json and bool in kinds and text.lower() in ("yes", "no"):
        return text.lower() == "yes"
    try:
        return json.loads(text)
    except ValueError:
        if str in kinds and not is_json:
            return text
        wanted = " or ".join(sorted(_WORDS[kind] for kind in kinds if kind in _WORDS)) or "JSON"
        raise click.UsageError(f"{name} takes {wanted}, got {text!r}") from None


_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object in JSON",
    list: "a list in JSON",
}


def _kinds(annotation: Any) -> set[type]:
    """Return the kinds of values that an annotation allows: scalars, ``dict`` and ``list``."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return {kind for one in typing.get_args(annotation) for kind in _kinds(one)}
    if origin is typing.Literal:
        return {type(value) for value in typing.get_args(annotation)}
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    cls = origin or annotation
    if annotation is Any:
        return {str, dict, list}
    if not isinstance(cls, type):
        return set()
    if typing.is_typeddict(cls) or issubclass(cls, Mapping):
        return {dict}
    if cls in (str, bool, int, float):
        return {cls}
    if hasattr(cls, "__fspath__"):
        return {str}
    return {list} if issubclass(cls, Sequence) and not issubclass(cls, bytes | bytearray | memoryview) else set()


def _listed(parameters: Mapping[str, object]) -> str:
    return f"its arguments are {', '.join(parameters)}" if parameters else "it takes none"
