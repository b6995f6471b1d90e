"""Keyword arguments that are the fields of a configuration: their signature at run time, and their types as source.

A field of :mod:`muxi.config` is the one definition of an option. ``make arguments`` writes
``muxi/client/arguments.py`` from it, which type checkers and editors read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from muxi.config import CallOptions, ClientConfig, FormationConfig, Options, ServerConfig
from muxi.lazy import AnnotationNames
from muxi.records import MISSING, RecordField, fields

if TYPE_CHECKING:
    from inspect import Signature

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
    keywords = {
        item.name: (item.type, _Unchanged() if unchanged else _default(item))
        for item in fields(config)
        if item.name not in without
    }

    def apply(function: F) -> F:
        signed = _Signed(cast(FunctionType, function), keywords)
        function.__annotations__ = signed.__wrapped__.__annotations__
        function.__wrapped__ = signed  # type: ignore[attr-defined]  # the attribute that inspect follows
        return function

    return apply


class _Signed:
    """The signature behind such a function, for ``inspect``; it is made when it is asked for.

    Behind it is a copy of the function, whose annotations are evaluated with the names of :mod:`muxi.config`.

    Args:
        function: the function.
        keywords: its keyword arguments by name, each with its annotation as text and its default.
    """

    def __init__(self, function: FunctionType, keywords: dict[str, tuple[str, Any]]) -> None:
        self._keywords = keywords
        code = function.__code__
        #: The name of the ``**`` parameter, whose annotation is for type checkers alone.
        self._catch_all = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        self.__wrapped__ = FunctionType(
            code,
            AnnotationNames(function.__globals__, ("muxi.config",)),
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        own = {name: text for name, text in function.__annotations__.items() if name != self._catch_all}
        returns = own.pop("return")
        self.__wrapped__.__annotations__ = {
            **own,
            **{name: text for name, (text, _) in keywords.items()},
            "return": returns,
        }

    @property
    def __signature__(self) -> Signature:
        from inspect import Parameter, signature
        from typing import get_type_hints

        hints = get_type_hints(self.__wrapped__)
        plain = signature(self.__wrapped__)
        named = [
            parameter.replace(annotation=hints.get(name, Parameter.empty))
            for name, parameter in plain.parameters.items()
            if name != self._catch_all
        ]
        keywords = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
            for name, (_, default) in self._keywords.items()
        ]
        return plain.replace(parameters=[*named, *keywords], return_annotation=hints["return"])


def _default(item: RecordField) -> object:
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
        lines = [f"    {item.name}: {item.type.replace(chr(39), chr(34))}" for item in added]
        yield "\n".join([f"class {name}({base}, total=False):", f'    """{docstring}"""', "", *lines])


if __name__ == "__main__":
    print(source(), end="")
