"""The reference has every public name once, on pages that can be read, and the migration page the names that differ."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

import muxi
from muxi import FormationClient, ServerClient
from tests.requirements import require_module

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md"))}
TEXT = "\n".join(PAGES.values())


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The extension that writes the pages."""
    require_module("sphinx")
    spec = importlib.util.spec_from_file_location("reference", DOCS / "_ext" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("client", [FormationClient, ServerClient])
def test_every_method_of_a_client_is_on_one_page(reference: ModuleType, client: type) -> None:
    shown: list[str] = []
    for classes in re.findall(rf"{{muxi-methods}} {client.__name__} (.*)", TEXT):
        for class_name in classes.split():
            shown += reference.methods_of(client, class_name)
    own = PAGES["formation" if client is FormationClient else "server"]
    members = re.search(rf"autoclass:: muxi\.{client.__name__}\n   :members: (.*)", own)
    assert members is not None
    shown += members[1].split(", ") + re.findall(rf":: muxi\.{client.__name__}\.(\w+)", own)
    assert sorted(shown) == sorted(name for name in dir(client) if not name.startswith("_"))


@pytest.mark.parametrize("module", ["muxi", "muxi.types", "muxi.transport", "muxi.webhook", "muxi_transports.memory"])
def test_every_public_name_of_a_module_is_shown_once(module: str) -> None:
    shown = re.findall(rf"auto(?!module)\w+:: {re.escape(module)}\.(\w+)(?:\(\))?$", TEXT, re.MULTILINE)
    loaded = importlib.import_module(module)
    for content in re.findall(rf"{{muxi-objects}} {re.escape(module)}\n(?::inherited:\n\n)?((?:.+\n)*?)```", TEXT):
        names = content.split()
        shown += loaded.__all__ if names == ["*"] else names
    modules = {"errors", "types", "webhook", "__version__"} if module == "muxi" else set()
    assert sorted(shown) == sorted(set(loaded.__all__) - modules)


def test_a_page_of_more_than_3000_words_fails_the_build(reference: ModuleType) -> None:
    assert reference.excess_of("reference/types", "word " * 3000) is None
    assert "3001 words" in reference.excess_of("reference/types", "word " * 3001)
    assert reference.excess_of("reliability", "word " * 3001) is None, "only the reference is split by this rule"
    assert "reference/index" in (DOCS / "index.md").read_text(encoding="utf-8")


def test_the_migration_page_has_the_names_that_differ(reference: ModuleType) -> None:
    official = json.loads(reference.OFFICIAL_NAMES.read_text(encoding="utf-8"))
    page = (DOCS / "migration.md").read_text(encoding="utf-8")
    table = page.partition("## Names that differ")[2].partition("\n## ")[0]
    listed = {name.partition("(")[0] for name in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}
    different = reference.different_names(official)
    assert len(different) == 12, "four methods of each server client, and four names of modules"
    assert listed == {re.sub(r"^muxi\.(Async)?\w+Client\.", "", name) for name in different}


def test_the_names_of_sibling_sdks_are_replaced_by_methods() -> None:
    page = (DOCS / "migration.md").read_text(encoding="utf-8").partition("## Names of sibling SDKs")[2]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)\(", page.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) == 5
    for absent, instead in rows:
        assert not hasattr(muxi.FormationClient, absent)
        assert hasattr(muxi.FormationClient, instead)
