"""The landing page links the repository that it is built from, where that has an address."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def repository() -> ModuleType:
    pytest.importorskip("sphinx", reason="the page is built with Sphinx: pip install 'muxi-client[docs]'")
    spec = importlib.util.spec_from_file_location("repository_extension", ROOT / "docs" / "_ext" / "repository.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://code.example/muxi/muxi-client.git\n", "https://code.example/muxi/muxi-client"),
        ("https://code.example/muxi/muxi-client/", "https://code.example/muxi/muxi-client"),
        ("https://builder:a-token@code.example/muxi/muxi-client", "https://code.example/muxi/muxi-client"),
        ("git@code.example:muxi/muxi-client.git", "https://code.example/muxi/muxi-client"),
        ("ssh://git@code.example:2222/muxi/muxi-client.git", "https://code.example/muxi/muxi-client"),
        ("/srv/git/muxi-client.git", None),
        ("file:///srv/git/muxi-client.git", None),
        ("../muxi-client", None),
        ("https://localhost/muxi-client", None),
        ("http://10.0.0.1/muxi-client", None),
        ("", None),
    ],
)
def test_a_remote_on_the_web_has_an_address_without_names_and_passwords(
    repository: ModuleType, remote: str, address: str | None
) -> None:
    assert repository.web_address(remote) == address


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)  # noqa: S607  the one that the build finds


def test_a_clone_has_the_remote_that_it_comes_from(repository: ModuleType, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert repository.remote_of(tmp_path) == ""
    git(tmp_path, "remote", "add", "origin", "https://code.example/muxi-client.git")
    assert repository.web_address(repository.remote_of(tmp_path)) == "https://code.example/muxi-client"


def test_the_landing_page_links_the_repository_and_without_an_address_the_source(repository: ModuleType) -> None:
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    assert repository.lead(page, None) == page
    assert "[repository](examples.md#the-source)" in page
    assert "[repository](https://code.example/muxi-client)" in repository.lead(page, "https://code.example/muxi-client")
