"""A headless Chromium for tests of pages: one for the session, a page for each test, and no request to other hosts.

``make browser`` runs these tests. Where Playwright or Chromium is missing they are skipped with what to install, or
fail with ``MUXI_REQUIRE_ALL=1``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.requirements import report_missing, require_module

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Where the pictures of the documentation are, and the variable that has them written.
FIGURES = Path(__file__).parents[2] / "docs" / "_figures"
WRITE_FIGURES = os.environ.get("MUXI_SCREENSHOTS") == "1"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that it runs by ``make browser`` only."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def find_chromium() -> str:
    """Return the path of a Chromium: that of ``MUXI_CHROMIUM``, or one on the PATH."""
    names = (os.environ.get("MUXI_CHROMIUM", ""), *_NAMES)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is not None:
        return found
    return report_missing(
        "there is no Chromium here",
        "on Debian and Ubuntu, `apt-get install chromium` installs it; elsewhere name one by MUXI_CHROMIUM=/path",
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, which requests nothing of its own."""
    playwright = require_module("playwright.sync_api")
    path = find_chromium()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=[*_FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages: ``new_page(width=390, height=760, color_scheme="dark")``.

    A page that requests anything from another host than this machine fails the test, and so does one with an error in
    its scripts, a violation of its content security policy, or any other message of level error.
    """
    problems: list[str] = []
    contexts: list[Any] = []

    def refuse(route: Any) -> None:
        url = route.request.url
        if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname not in _LOOPBACK:
            problems.append(f"a request to {url}")
            route.abort()
        else:
            route.continue_()

    def dismiss(dialog: Any) -> None:
        problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(width: int = 1280, height: int = 760, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        context.route("**/*", refuse)
        page: Page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(f"an error in a script: {error}"))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("dialog", dismiss)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A page of 1280 by 760 pixels in a light colour scheme."""
    return new_page(color_scheme="light")


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Take a picture of a page for the documentation; ``make screenshots`` has it written."""

    def take(page: Page, name: str) -> None:
        content = page.screenshot(type="png", animations="disabled", caret="hide")
        assert content.startswith(b"\x89PNG")
        if WRITE_FIGURES:
            FIGURES.mkdir(parents=True, exist_ok=True)
            (FIGURES / f"{name}.png").write_bytes(content)

    return take
