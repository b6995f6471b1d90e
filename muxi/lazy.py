"""Loading at first use, so that importing the SDK takes little time: the three forms of it, one for each kind of name.

- A public name of a package is loaded by the package's ``__getattr__`` (PEP 562): :func:`names_of`.
- A library that one function needs is imported in that function.
- A name that only annotations have is imported for type checkers alone, and resolved when annotations are evaluated:
  :class:`LazyModule` for those of fields, :class:`AnnotationNames` for those of operations.

Python's import lock makes all three safe for threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, ItemsView, Iterable, Mapping
from importlib import import_module

__all__ = ["AnnotationNames", "LazyModule", "TextAnnotations", "names_of"]


def names_of(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package whose names are loaded when first asked for.

    Args:
        package: the package's name.
        homes: the names by the module that defines them.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def get_name(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home_of})

    return get_name, list_names


class LazyModule:
    """Stands for a module in annotations, and loads it for the first attribute that is asked for.

    Args:
        name: the module's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._name), name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


class AnnotationNames(dict[str, object]):
    """The names in which the annotations of a function are evaluated: those of its module, and others by their homes.

    Args:
        known: the names of the function's module.
        homes: for names that it lacks: modules that are asked for them, one after the other.
    """

    def __init__(self, known: Mapping[str, object], homes: Iterable[str]) -> None:
        super().__init__()
        self._known = known
        self._homes = tuple(homes)

    def __missing__(self, name: str) -> object:
        if name in self._known:
            return self._known[name]
        for home in self._homes:
            try:
                return getattr(import_module(home), name)
            except AttributeError:
                continue
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        try:
            self[name]
        except KeyError:
            return False
        return True


class TextAnnotations(dict[str, object]):
    """Annotations of a function as texts, which load the names in them when they are listed.

    From Python 3.13 on ``inspect`` evaluates texts with ``names`` as plain globals, where a missing name is not asked
    for: it has to be there before.

    Args:
        texts: the annotations.
        names: the globals of the function.
    """

    def __init__(self, texts: Mapping[str, object], names: AnnotationNames) -> None:
        super().__init__(texts)
        self._names = names

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # dict_items cannot be named
        """Return the annotations, after loading the names in them."""
        for text in self.values():
            if isinstance(text, str):
                for name in compile(text, "annotation", "eval").co_names:
                    if name in self._names:
                        self._names[name] = self._names[name]
        return super().items()
