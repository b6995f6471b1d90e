"""Tools that replace parts of HTTP libraries: whether a part is still the library's own, and whose it is otherwise."""

from __future__ import annotations

import functools
import sys
import types
from os.path import basename, splitext

__all__ = ["is_genuine", "tool_behind"]

# The types of the constants that a compiler puts into code. A tool that exchanges code in place puts its own objects
# among them.
_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, type(...), slice)


def is_genuine(value: object, module: str) -> bool:
    """Return whether something is a function or class as its library has it.

    A function has to be a plain one, without attributes of its own, defined in the module and compiled from its file.

    Args:
        value: what an attribute of the library holds now.
        module: the name of the module that defined it.
    """
    if isinstance(value, type):
        return value.__module__ == module
    if type(value) is not types.FunctionType:
        return False
    home = sys.modules.get(module)
    return (
        home is not None
        and not value.__dict__
        and value.__globals__ is vars(home)
        and _stem(value.__code__.co_filename) == _stem(getattr(home, "__file__", None) or "")
        and _is_compiled(value.__code__)
    )


def _stem(path: str) -> str:
    """The name of a file without its folder and its ending."""
    return splitext(basename(path))[0]  # noqa: PTH119, PTH122  pathlib would be loaded for this alone


def _is_compiled(constant: object) -> bool:
    """Return whether a constant is one that a compiler makes."""
    if isinstance(constant, types.CodeType):
        return all(map(_is_compiled, constant.co_consts))
    if isinstance(constant, tuple | frozenset):
        return all(map(_is_compiled, constant))
    return type(constant) in _CONSTANTS


def tool_behind(value: object) -> str:
    """The module of the tool that put something into the place of a library's part."""
    wrapper = getattr(value, "_self_wrapper", None)  # of wrapt: the proxy itself bears the names of what it wraps
    if wrapper is not None:
        kind = type(value).__module__
        # Some tools have classes of their own. Those of wrapt itself are in "wrapt…"; compiled ones say "_wrappers", or
        # no module at all, which Python shows as its own.
        own = kind in ("_wrappers", "builtins") or kind.startswith("wrapt")
        return _module_of(wrapper) if own else kind
    return _module_of(value)


def _module_of(value: object) -> str:
    while isinstance(value, functools.partial):
        value = value.func
    if isinstance(value, types.MethodType):
        return type(value.__self__).__module__
    if isinstance(value, types.FunctionType):
        inside = _object_in(value.__code__)
        # functools.wraps() gives a wrapper the module of what it wraps; its globals it has from its own.
        return inside or str(value.__globals__.get("__name__", value.__module__))
    if isinstance(value, type):
        return value.__module__
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _object_in(code: types.CodeType) -> str | None:
    """The module of an object that a tool has put among the constants of code."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if found := _object_in(constant):
                return found
        elif not _is_compiled(constant):
            return _module_of(constant)
    return None
