"""Names and docstrings use the terms of the field: one name for each class; no docstring begins as a question."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("muxi/**/*.py"), *ROOT.glob("muxi_transports/**/*.py")])

#: Names that several classes bear, with the reason.
SHARED = {"Meta": "the options of a marshmallow schema, as marshmallow names its inner class"}

QUESTIONS = {"What", "Whether", "How", "Where", "Who", "Which", "That"}
RIDDLES = re.compile(
    r"\b(somebody|anybody|nobody|is told|are told|has no sense|makes no sense|lets? go|in earnest|comes by|the hour|"
    r"a word on)\b",
    re.IGNORECASE,
)


def documented(tree: ast.AST) -> Iterator[tuple[str, int, str]]:
    """Yield name, line and docstring of a module, and of its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", "the module"), getattr(node, "lineno", 1), text


@functools.cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def questions(source: str) -> list[str]:
    found = documented(parsed(source))
    return [
        f"line {line}: {name}: {text.splitlines()[0]}" for name, line, text in found if text.split()[0] in QUESTIONS
    ]


def riddles(source: str) -> list[str]:
    """Return the texts and comments that hide who does what to which thing."""
    found: list[str] = []
    if not RIDDLES.search(source):
        return found
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        # From Python 3.12 on, an f-string has tokens of its own for its texts.
        if token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]:
            found += [f"line {token.start[0]}: {match[0]}" for match in RIDDLES.finditer(token.string)]
    return found


def test_no_two_classes_bear_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert set(shared) == set(SHARED), shared


def test_no_docstring_begins_with_a_question() -> None:
    found = {str(path.relative_to(ROOT)): questions(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: lines for path, lines in found.items() if lines}


def test_no_text_and_no_comment_is_a_riddle() -> None:
    found = {str(path.relative_to(ROOT)): riddles(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert not {path: lines for path, lines in found.items() if lines}


def test_the_rules_find_what_they_forbid() -> None:
    assert questions('def f():\n    """Whether it is."""\n') == ["line 1: f: Whether it is."]
    assert riddles("x = f'{y}: nobody listens'  # lets go\n") == ["line 1: nobody", "line 1: lets go"]
    assert not questions('"""The name."""\n')
    assert not riddles("nobody = 1\n")
