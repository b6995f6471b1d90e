"""The pages of the documentation fit wide and narrow screens, light and dark; pictures of them are for looking at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.requirements import require_module

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "docs" / "_build"

#: What is looked at: prose and code, a table, a long reference, definitions, an index of pages.
PAGES = ("index", "notebooks", "web-applications", "plugins/tracing", "reference/formation")
SIZES = {"wide": 1440, "narrow": 390}

#: Elements that are wider than the page, and neither scroll nor are in something that does.
CLIPPED = """() => [...document.querySelectorAll("article *")].filter((element) => {
  if (element.getBoundingClientRect().right <= document.documentElement.clientWidth + 1) return false;
  for (let at = element; at; at = at.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(at).overflowX) && at.tagName !== "BODY") return false;
  return true;
}).map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="session")
def site() -> Path:
    """The built documentation."""
    require_module("sphinx")
    target = BUILT / "html"
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(ROOT / "docs"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_and_have_their_pictures_taken(
    name: str, size: str, scheme: str, site: Path, new_page: Callable[..., Page]
) -> None:
    page = new_page(width=SIZES[size], height=900, color_scheme=scheme)
    file = site / f"{name}.html"
    page.goto((file if file.exists() else site / name / "index.html").as_uri())
    page.wait_for_load_state("load")
    assert not page.evaluate(CLIPPED)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if os.environ.get("MUXI_SCREENSHOTS") == "1":
        folder = BUILT / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name.replace('/', '-')}-{size}-{scheme}.png", animations="disabled")
