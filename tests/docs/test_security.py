"""Each row of the page on security names tests, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "| test |" not in line]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:40])
def test_every_row_names_tests_that_are_there(row: list[str]) -> None:
    threat, measure, tests = row
    assert threat
    assert measure
    named = NAMED.findall(tests)
    assert named
    # Nothing beside them: a folder or a file proves nothing.
    assert not re.sub(r"[\s|,]", "", NAMED.sub("", tests))
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (file, name)


def test_there_are_rows_about_all_subjects() -> None:
    assert len(ROWS) > 30
    for heading in ("Keys and secrets", "Webhooks", "Bundles and downloads", "Growth", "What is shown"):
        assert f"## {heading}\n" in PAGE
