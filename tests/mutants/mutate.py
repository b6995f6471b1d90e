"""Small faults put into the source of a module, one at a time.

Left out are those that change nothing: a function that ends without ``return None`` returns None, and None is as false
as False, which the types of a function do not let it return.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import NamedTuple, cast


class Mutant(NamedTuple):
    """A module with one fault."""

    #: The fault without its line, so that changes elsewhere leave it: ``head.find_end: a < b -> a <= b``.
    name: str
    line: int
    #: Makes its syntax tree, which takes time.
    make: Callable[[], ast.Module]

    @property
    def tree(self) -> ast.Module:
        return self.make()


_SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_STATEMENTS = (
    ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Raise, ast.Delete, ast.Return, ast.Break, ast.Continue
)  # fmt: skip
_REGEX_UNIT = re.compile(r"\\x[0-9a-fA-F]{2}|\\.|\{[0-9,]+\}|.", re.DOTALL)


def mutants(source: str, module: str) -> Iterator[Mutant]:
    """Every mutant of a module.

    Args:
        source: its text.
        module: its name, for the names of the mutants.
    """
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    last = {node.body[-1] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for path, node, scope in _walk(tree, (), module):
        for described, change in _changes(node, is_last=node in last):
            name = f"{scope}: {described}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" (#{seen[name]})"
            yield Mutant(name, getattr(node, "lineno", 0), partial(_mutated, tree, path, change))


def _mutated(tree: ast.Module, path: Path, change: Change) -> ast.Module:
    changed = deepcopy(tree)
    change(_at(changed, path), changed, path)
    return ast.fix_missing_locations(changed)


Path = tuple[tuple[str, int | None], ...]
Change = Callable[[ast.AST, ast.AST, Path], None]


def _walk(node: ast.AST, path: Path, scope: str) -> Iterator[tuple[Path, ast.AST, str]]:
    """Each node that may be changed, how it is reached, and the function that it is in."""
    yield path, node, scope
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        scope = f"{scope}.{node.name}"
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_declaration(child):
                yield from _walk(child, (*path, (field, at)), scope)


def _is_declaration(node: ast.AST) -> bool:
    """Docstrings, imports, types, texts of rules, and names that the interpreter does not need."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("FramingRule", "cast")
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id in ("__all__", "__slots__") or _is_type_variable(node.value)
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_type_variable(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TypeVar"


def _at(tree: ast.AST, path: Path) -> ast.AST:
    for field, at in path:
        value = getattr(tree, field)
        tree = value if at is None else value[at]
    return tree


def _replace(tree: ast.AST, path: Path, new: ast.AST) -> None:
    parent = _at(tree, path[:-1])
    field, at = path[-1]
    if at is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[at] = new


def _changes(node: ast.AST, *, is_last: bool) -> Iterator[tuple[str, Change]]:
    text = _short(node)
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            for swap in _SWAPS.get(type(operator), ()):
                yield f"{text} -> {swap.__name__}{f' at {at}' if at else ''}", _set_operator(at, swap)
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        for swap in _SWAPS.get(type(node.op), ()):
            yield f"{text} -> {swap.__name__}", _set(op=swap())
    if isinstance(node, ast.BoolOp):
        for at in range(len(node.values)):
            yield f"{text} without {_short(node.values[at])}", _drop_operand(at)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield f"not ({_short(node.test)})", _negate
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{text} without not", _unwrap
    if isinstance(node, ast.Constant):
        for value in _other_values(node.value):
            yield f"{text} -> {value!r}", _set(value=value)
    if isinstance(node, ast.Slice):
        for bound in ("lower", "upper"):
            if getattr(node, bound) is not None:
                yield f"[{text}] without {bound} bound", _set(**{bound: None})
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "compile":
        yield from _regex_changes(node)
    returned = ast.unparse(node.value or node) if isinstance(node, ast.Return) else ""
    if returned not in ("", "return", "None", "False"):
        yield f"{text} -> return", _set(value=None)
    if is_last and returned in ("return", "None", "False"):
        return
    if isinstance(node, _STATEMENTS) and not (isinstance(node, ast.AnnAssign) and node.value is None):
        yield f"without {text}", lambda _, tree, path: _replace(tree, path, ast.Pass())


def _set(**values: object) -> Change:
    def change(node: ast.AST, tree: ast.AST, path: Path) -> None:
        for name, value in values.items():
            setattr(node, name, value)

    return change


def _set_operator(at: int, swap: type[ast.AST]) -> Change:
    def change(node: ast.AST, tree: ast.AST, path: Path) -> None:
        cast(ast.Compare, node).ops[at] = cast(ast.cmpop, swap())

    return change


def _drop_operand(at: int) -> Change:
    def change(node: ast.AST, tree: ast.AST, path: Path) -> None:
        values = cast(ast.BoolOp, node).values
        del values[at]
        if len(values) == 1:
            _replace(tree, path, values[0])

    return change


def _negate(node: ast.AST, tree: ast.AST, path: Path) -> None:
    branch = cast("ast.If | ast.While | ast.IfExp", node)
    branch.test = ast.UnaryOp(ast.Not(), branch.test)


def _unwrap(node: ast.AST, tree: ast.AST, path: Path) -> None:
    _replace(tree, path, cast(ast.UnaryOp, node).operand)


def _other_values(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, str):
        return [value + ("x" if _is_codec(value) else "~")]  # punctuation is taken out of the names of codecs
    if isinstance(value, bytes):
        return [value + b"~"]
    return []


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return True


def _regex_changes(node: ast.Call) -> Iterator[tuple[str, Change]]:
    """A pattern without each of its units, as far as it is one then."""
    literal = node.args[0]
    if isinstance(literal, ast.Constant) and isinstance(literal.value, str | bytes):
        pattern = literal.value if isinstance(literal.value, str) else literal.value.decode("latin-1")
        for unit in _REGEX_UNIT.finditer(pattern):
            shorter = pattern[: unit.start()] + pattern[unit.end() :]
            try:
                re.compile(shorter)
            except re.error:
                continue
            new = shorter if isinstance(literal.value, str) else shorter.encode("latin-1")
            yield f"pattern {_shorten(pattern)} without {unit[0]!r} at {unit.start()}", _set_pattern(new)
    if len(node.args) > 1:
        yield f"{_short(node.args[0])} without flags", _drop_flags


def _set_pattern(new: str | bytes) -> Change:
    def change(node: ast.AST, tree: ast.AST, path: Path) -> None:
        cast(ast.Call, node).args[0] = ast.Constant(new)

    return change


def _drop_flags(node: ast.AST, tree: ast.AST, path: Path) -> None:
    del cast(ast.Call, node).args[1:]


def _short(node: ast.AST) -> str:
    return _shorten(ast.unparse(node).partition("\n")[0])


def _shorten(text: str) -> str:
    return text if len(text) <= 90 else text[:60] + " … " + text[-27:]
