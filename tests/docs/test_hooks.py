"""The page of the hooks has every hook with its exact signature, and no other."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from muxi import hookspecs
from muxi.hooks.registration import SPECS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "plugins" / "hooks.md").read_text(encoding="utf-8")
_SECTION = re.compile(r"^### (muxi_\w+)\n\n```text\n(.*?)\n```\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def test_the_page_has_every_hook_once() -> None:
    assert sorted(name for name, _, _ in _SECTION.findall(PAGE)) == sorted(SPECS)


@pytest.mark.parametrize(("name", "signature", "text"), _SECTION.findall(PAGE))
def test_a_hook_is_documented_with_its_exact_signature(name: str, signature: str, text: str) -> None:
    hook = getattr(hookspecs, name)
    assert signature == f"{name}{inspect.signature(hook)}".replace("'", "")
    assert len(text.split()) > 10, "it says when it is called"


@pytest.mark.parametrize("name", SPECS)
def test_a_docstring_explains_every_argument(name: str) -> None:
    hook = getattr(hookspecs, name)
    explained = re.findall(r"^    (\w+): ", inspect.cleandoc(hook.__doc__).partition("Args:\n")[2], re.MULTILINE)
    assert explained == list(inspect.signature(hook).parameters)


@pytest.mark.parametrize("name", SPECS)
def test_first_results_are_documented_as_such(name: str) -> None:
    hook = getattr(hookspecs, name)
    first = hook.muxi_spec["firstresult"]
    words = " ".join((inspect.getdoc(hook) or "").lower().split())
    assert ("first result that is not none" in words) == first
    assert (f"| first result | `{name}`" in PAGE) == first
