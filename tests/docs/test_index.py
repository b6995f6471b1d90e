"""The landing page shows what the product does, and leads to every page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "index.md").read_text(encoding="utf-8")
CAPTIONS = ["Start", "Use", "Operate", "Test", "Extend", "Reference"]


def test_the_first_program_prints_what_the_page_shows() -> None:
    program, output = re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)[:2]
    assert len(program.strip().splitlines()) <= 10
    # With nothing else set than what the page names.
    environment = {"MUXI_TRANSPORT": "memory", "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (output, "")


def test_the_sidebar_has_its_captions_and_every_page_once() -> None:
    trees = re.findall(r"```{toctree}\n:hidden:\n:caption: (\w+)\n\n(.*?)```", PAGE, re.DOTALL)
    assert [caption for caption, _ in trees] == CAPTIONS
    pages = [page for _, content in trees for page in content.split()]
    there = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    there |= {f"{path.parent.name}/index" for path in DOCS.glob("*/index.md")}
    assert sorted(pages) == sorted(there)
    assert "life-of-a-call" in dict(trees)["Extend"]


def test_headings_have_the_words_that_people_search_for() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    headings = " ".join(re.findall(r"^#+ (.*)$", text, re.MULTILINE)).lower()
    for word in ("timeout", "retry", "retries", "session", "pagination", "proxy", "streaming", "cancel"):
        assert word in headings, word
