"""The expressions of the package, and texts on which they may go back and forth."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Expression", "attacks", "expressions"]

ROOT = Path(__file__).parents[2]
_CALLS = frozenset({"compile", "search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split"})


class Expression(NamedTuple):
    """An expression in the source of the package."""

    module: str
    #: Its text, or its source where it is made of variables.
    text: str
    constant: bool
    binary: bool
    #: ``search``, unless the expression is only used in another way.
    how: str
    #: As :mod:`re` has them.
    flags: int = 0


def expressions() -> Iterator[Expression]:
    """Every expression that a module of the package gives to :mod:`re`."""
    for package in ("muxi", "muxi_transports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            constants = _constants(tree)
            uses = _uses(tree)
            parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(tree):
                if _is_call_of_re(node):
                    yield _expression(module, node, constants, parents, uses)


def _is_call_of_re(node: ast.AST) -> bool:
    function = getattr(node, "func", None)
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _CALLS
    )


def _constants(tree: ast.Module) -> dict[str, str | bytes]:
    found: dict[str, str | bytes] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
            found[target.id] = node.value.value  # type: ignore[assignment]  # of texts, as the caller looks for
    return found


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    """The ways in which the names of a module are used as expressions."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _CALLS:
            how = node.attr if node.attr in ("match", "fullmatch") else "search"
            found.setdefault(node.value.id, set()).add(how)
    return found


def _expression(
    module: str,
    node: ast.AST,
    constants: dict[str, str | bytes],
    parents: dict[ast.AST, ast.AST],
    uses: dict[str, set[str]],
) -> Expression:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Attribute)
    given = node.args[0]
    value = given.value if isinstance(given, ast.Constant) else None
    if isinstance(given, ast.Name):
        value = constants.get(given.id)
    how = node.func.attr if node.func.attr in ("match", "fullmatch") else "search"
    parent = parents.get(node)
    if node.func.attr == "compile" and isinstance(parent, ast.Attribute) and parent.attr in ("match", "fullmatch"):
        how = parent.attr
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        used = uses.get(parent.targets[0].id, set())
        how = next((name for name in ("search", "match", "fullmatch") if name in used), how)
    if isinstance(value, bytes):
        return Expression(module, value.decode("latin-1"), True, True, how, _flags(node))
    if isinstance(value, str):
        return Expression(module, value, True, False, how, _flags(node))
    return Expression(module, ast.unparse(given), False, False, how)


def _flags(call: ast.Call) -> int:
    """The flags that a call names (``re.DOTALL | re.ASCII``)."""
    names = {
        node.attr
        for given in (*call.args[1:], *(keyword.value for keyword in call.keywords if keyword.arg == "flags"))
        for node in ast.walk(given)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
    }
    return int(sum(re.RegexFlag[name] for name in names))


def attacks(text: str) -> list[str]:
    """Repeated units on which an expression may go back and forth: its own characters and words, and common ones."""
    words = re.findall(r"[A-Za-z_]{2,}|[^\w\s\\]{1,4}", text)
    letters = sorted({char for char in text if char.isprintable() and char not in "\\"})
    return list(
        dict.fromkeys([*words, *letters, "a", "1", " ", "\n", "a ", "a.", "\\", '\\"', "${{ secrets.", "://a@"])
    )
