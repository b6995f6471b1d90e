"""What ``make matrix`` and ``make release`` decide, without building anything."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi.version import __version__

CI = Path(__file__).parents[2] / ".ci"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a script of the folder ``.ci``: ``script("matrix")``."""
    monkeypatch.syspath_prepend(str(CI))
    names: list[str] = []

    def load(name: str) -> Any:
        names.append(name)
        return importlib.import_module(name)

    yield load
    for name in (*names, "matrix"):
        sys.modules.pop(name, None)


def test_a_changed_tree_is_not_released(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    release = script("release")
    monkeypatch.setattr(release, "output", lambda *command: " M muxi/call.py")
    with pytest.raises(SystemExit, match="the working tree has changes"):
        release.refuse_unready()


@pytest.mark.parametrize(
    ("changelog", "ready"),
    [
        ("## [Unreleased]\n", False),
        (f"## [{__version__}]\n", False),
        ("## [0.0.0] - 2026-01-01\n", False),
        (f"## [{__version__}] - 2026-01-01\n", True),
    ],
)
def test_a_changelog_without_the_version_is_not_released(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changelog: str, ready: bool
) -> None:
    release = script("release")
    monkeypatch.setattr(release, "output", lambda *command: "")
    monkeypatch.setattr(release, "current_version", lambda: __version__)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    if ready:
        release.refuse_unready()
    else:
        with pytest.raises(SystemExit, match=r"CHANGELOG\.md has no section"):
            release.refuse_unready()


def test_the_version_is_that_of_the_package(script: Any) -> None:
    assert script("release").current_version() == __version__


def test_a_part_of_the_matrix_leaves_the_other_rows_alone(script: Any) -> None:
    matrix = script("matrix")
    row = matrix.Row("3.11", "lowest", "requests 2.32.2", "passed", 271.0)
    rows = matrix.merged(
        matrix.read_table(matrix.table([row])), [matrix.Row("3.12", "newest", "", "failed: pytest", 3.0)]
    )
    assert [(found.python, found.kind) for found in rows] == [
        (version, kind) for version in matrix.VERSIONS for kind in matrix.KINDS
    ]
    verdicts = {(found.python, found.kind): found.verdict for found in rows}
    assert verdicts["3.11", "lowest"] == "passed"
    assert verdicts["3.12", "newest"] == "failed: pytest"
    assert verdicts["3.10", "newest"] == "not run"


def test_every_dependency_and_extra_of_the_suite_has_a_lowest_version(script: Any) -> None:
    lowest = {line.partition("==")[0] for line in script("matrix").lowest("3.10")}
    assert {"requests", "urllib3", "sseclient-py", "pluggy", "marshmallow"} < lowest
    assert {"aiohttp", "click", "rich", "prompt-toolkit", "jmespath", "platformdirs", "pathspec"} < lowest
