"""Keyword arguments that are the fields of a configuration: their signature at run time, and their types as source.

A field of :mod:`muxi.config` is the one definition of an option. ``make arguments`` writes
``muxi/client/arguments.py`` from it, which type checkers and editors read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_type_hints

from muxi.config import CallOptions, ClientConfig, FormationConfig, Options, ServerConfig

__all__ = ["ADDRESSING", "source", "takes_fields_of"]

F = TypeVar("F", bound=Callable[..., Any])

#: Fields that say where a formation is. A server's client fills them in for its formations.
ADDRESSING = ("formation_id", "url", "server_url", "base_url")


class _Unchanged:
    def __repr__(self) -> str:
        return "<unchanged>"


def takes_fields_of(
    config: type[Options], *, without: tuple[str, ...] = (), unchanged: bool = False
) -> Callable[[F], F]:
    """Give a function with a ``**`` parameter the fields of a configuration as its keyword arguments.

    Args:
        config: the configuration.
        without: fields to leave out.
        unchanged: show ``<unchanged>`` in place of the defaults.
    """

    def apply(function: F) -> F:
        catch_all = next(
            name for name, found in inspect.signature(function).parameters.items() if found.kind is found.VAR_KEYWORD
        )
        # Its annotation is for type checkers; what it names is never loaded at run time.
        annotations = {name: text for name, text in function.__annotations__.items() if name != catch_all}
        function.__annotations__ = annotations
        own = get_type_hints(function)
        keywords = [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_Unchanged() if unchanged else _default(item),
                annotation=_hints(config)[item.name],
            )
            for item in fields(config)
            if item.name not in without
        ]
        signature = inspect.signature(function)
        named = [
            parameter.replace(annotation=own.get(name, parameter.empty))
            for name, parameter in signature.parameters.items()
            if name != catch_all
        ]
        function.__annotations__ = {
            **own,
            **{keyword.name: keyword.annotation for keyword in keywords},
            "return": own["return"],
        }
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # the attribute that inspect reads
            [*named, *keywords], return_annotation=own["return"]
        )
        return function

    return apply


_evaluated: dict[str, dict[str, Any]] = {}


def _hints(config: type[Options]) -> dict[str, Any]:
    if config.__name__ not in _evaluated:
        _evaluated[config.__name__] = get_type_hints(config)
    return _evaluated[config.__name__]


def _default(item: Field[Any]) -> object:
    return item.default if item.default_factory is MISSING else item.default_factory()


#: The typed dictionaries of ``arguments.py``: name, base, docstring, configuration, and fields that it leaves out.
_CLASSES: tuple[tuple[str, str, str, type[Options], tuple[str, ...]], ...] = (
    ("OptionChanges", "TypedDict", "Keyword arguments of ``with_options()``.", CallOptions, ()),
    ("ClientSettings", "TypedDict", "Keyword arguments that the constructors of all clients take.", ClientConfig, ()),
    (
        "ProxiedSettings",
        "ClientSettings",
        "Keyword arguments of ``ServerClient.formation()``.",
        FormationConfig,
        ADDRESSING,
    ),
    ("FormationSettings", "ProxiedSettings", "Keyword arguments of ``FormationClient``.", FormationConfig, ()),
    (
        "ProfileSettings",
        "ClientSettings",
        "Keyword arguments of ``ServerClient.from_profile()``.",
        ServerConfig,
        ("url",),
    ),
    ("ServerSettings", "ProfileSettings", "Keyword arguments of ``ServerClient``.", ServerConfig, ()),
)

_HEAD = '''"""The constructors' keyword arguments as types, for editors and type checkers; never loaded at run time.

Written by ``make arguments`` from :mod:`muxi.config`; do not edit it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from muxi.clock import Clock
from muxi.config import Secret, TransportChoice

__all__ = [
    "ClientSettings",
    "FormationSettings",
    "OptionChanges",
    "ProfileSettings",
    "ProxiedSettings",
    "ServerSettings",
]
'''


def source() -> str:
    """Return the text of ``muxi/client/arguments.py``."""
    return _HEAD + "".join(f"\n\n{text}\n" for text in _class_sources())


def _class_sources() -> Iterator[str]:
    known: dict[str, set[str]] = {"TypedDict": set()}
    for name, base, docstring, config, without in _CLASSES:
        added = [item for item in fields(config) if item.name not in known[base] and item.name not in without]
        known[name] = known[base] | {item.name for item in added}
        lines = [f"    {item.name}: {str(item.type).replace(chr(39), chr(34))}" for item in added]
        yield "\n".join([f"class {name}({base}, total=False):", f'    """{docstring}"""', "", *lines])


if __name__ == "__main__":
    print(source(), end="")
