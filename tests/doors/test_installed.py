"""One look over the import path tells what is installed; what only importlib.metadata can read is left to it."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder, metadata
from pathlib import Path
from zipfile import ZipFile

import pytest

from muxi import installed
from muxi.hooks.installed import installed_plugins


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole import path."""
    assert metadata("pytest")["Name"]  # loads what the library needs, which cannot be found afterwards
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(installed, "look", installed.look.__wrapped__)
    return tmp_path


@pytest.fixture
def only_python_finds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No finder of distributions but Python's own: other libraries bring some, and take Python's away.

    Asks for ``path``, which needs them once more. (importlib_metadata does so until Python 3.12.)
    """
    finders = [it for it in sys.meta_path if it is PathFinder or not hasattr(it, "find_distributions")]
    monkeypatch.setattr(sys, "meta_path", finders)


def install(path: Path, folder: str, name: str, points: str | None = None) -> None:
    info = path / folder
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    if points is not None:
        (info / "entry_points.txt").write_text(points)


@pytest.mark.usefixtures("only_python_finds")
def test_the_names_of_distributions_are_those_of_their_folders(path: Path) -> None:
    install(path, "Made_Up-1.0.dist-info", "Made_Up")
    install(path, "old.egg-info", "old")
    assert installed.is_installed("made-up")
    assert installed.is_installed("old")
    assert not installed.is_installed("made")
    assert installed.look().complete


@pytest.mark.parametrize(
    ("points", "found"),
    [
        ("[muxi]\na = b\n", ["a"]),
        ("[console_scripts]\nx = y:z\n\n  [muxi]  \na = b\n", ["a"]),
        ("[muxi.transports]\na = b\n", []),
        ("[console_scripts]\nmuxi = muxi:main\n", []),
        (None, []),
    ],
)
def test_entry_points_are_those_that_importlib_finds(path: Path, points: str | None, found: list[str]) -> None:
    install(path, "some-1.0.dist-info", "some", points)
    assert [point.name for point in installed.announced("muxi")] == found


@pytest.mark.usefixtures("only_python_finds")
def test_where_no_file_announces_anything_the_library_is_not_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(path, "some-1.0.dist-info", "some", "[console_scripts]\nx = y:z\n")
    monkeypatch.setitem(sys.modules, "importlib.metadata", None)
    assert installed.announced("muxi") == ()
    assert not installed.is_installed("other")


def test_an_archive_on_the_path_is_left_to_the_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = path / "packed.zip"
    with ZipFile(archive, "w") as packed:
        packed.writestr("packed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
        packed.writestr("packed-1.0.dist-info/entry_points.txt", "[muxi]\na = b\n")
    monkeypatch.setattr(sys, "path", [str(archive), str(path / "missing")])
    assert not installed.look().complete
    assert installed.is_installed("packed")
    assert [point.name for point in installed.announced("muxi")] == ["a"]


def test_a_finder_of_distributions_is_left_to_the_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder(DistributionFinder):
        def find_distributions(self, context: object = None) -> list[object]:  # type: ignore[override]  # none
            return []

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert not installed.look().complete
    assert not installed.is_installed("anything")


def test_without_plugins_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(group: str) -> None:
        pytest.fail(f"looked for {group}")

    monkeypatch.setattr("muxi.hooks.installed.entry_points", refuse)
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", "1")
    assert installed_plugins(()) == []
