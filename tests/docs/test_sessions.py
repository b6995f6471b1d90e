"""The sessions on the page about the terminal are what the commands print today."""

from __future__ import annotations

import re

from muxi.cli.commands import COMMANDS
from tests.docs.sessions import PAGE, recorded


def test_the_recorded_sessions_are_as_they_would_be_recorded_now() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert recorded(page) == page, "record them anew: python -m tests.docs.sessions"


def test_the_page_names_every_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\b[a-z]+\b", page))
    assert {name for name, _, _ in COMMANDS} - {"demo"} <= named


def test_no_secret_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not re.search(r"muxi_sk_|fm[ac]_", page)
