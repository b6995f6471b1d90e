"""Every Python block of the README and of the documentation runs, against an in-memory world.

The blocks of a page run one after the other and share their names, as in a notebook; ``await`` may stand at the top
level. A comment in front of a block changes that, and is shown on the page: ``<!-- not run: why -->``,
``<!-- own process -->`` for a block that a test of its own runs, and ``<!-- over http -->`` for a block that brings a
world of its own and talks to it over the network. ``<!-- file: name.py -->`` is a part of a file, which
``test_files.py`` runs. Nothing else is set than what the quick start says.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import os
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ServerClient

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n+)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    code: str
    line: int
    mark: str


def blocks_of(page: Path) -> list[Block]:
    """The Python blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["code"], text.count("\n", 0, match.start("code")), match["mark"] or "")
        for match in _BLOCK.finditer(text)
    ]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The environment that the quick start describes: one variable, and a bundle to deploy."""
    for name in [name for name in os.environ if name.startswith("MUXI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MUXI_TRANSPORT", "memory")
    content = b"id: my-bot\ndescription: A bot\n"
    with tarfile.open(tmp_path / "my-bot.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("my-bot/formation.yaml")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, reader: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    loop = asyncio.new_event_loop()
    clients: dict[int, Any] = {}
    try:
        for block in blocks_of(page):
            if block.mark.startswith(("not run: ", "file: ")) or block.mark == "own process":
                continue
            with reader.context() as changes:
                if block.mark == "over http":
                    changes.delenv("MUXI_TRANSPORT")
                _run(page, block, names, loop)
            clients |= {id(value): value for value in names.values() if isinstance(value, _ALL)}
    finally:
        for client in clients.values():
            closing = client.close()
            if isinstance(client, AsyncFormationClient | AsyncServerClient):
                loop.run_until_complete(closing)
        loop.close()


_ALL = (FormationClient, ServerClient, AsyncFormationClient, AsyncServerClient)


def _run(page: Path, block: Block, names: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
    # Empty lines in front, so that an error shows its line of the page.
    source = "\n" * block.line + block.code
    # Without the future statements of this module: a reader has none.
    code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        loop.run_until_complete(eval(code, names))  # noqa: S307  our own pages
    else:
        exec(code, names)  # noqa: S102  likewise


def test_every_page_with_marks_gives_its_reasons() -> None:
    for page in PAGES:
        for block in blocks_of(page):
            known = r"|over http|own process|not run: .{10,}|file: \S+"
            assert re.fullmatch(known, block.mark), (page, block.mark)


def test_the_quick_start_says_what_is_set_for_the_blocks() -> None:
    text = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
    assert "MUXI_TRANSPORT=memory" in text
    assert "tar czf my-bot.tar.gz my-bot" in text


#: Packages by the modules that are imported from them; modules of the standard library and of the SDK need none.
_PACKAGES = {"pydantic": "fastapi", "prometheus_client": "prometheus", "pytest": "test]", "yaml": "PyYAML"}
_PROVIDED = {"muxi", "muxi_transports", "requests", "urllib3", "marshmallow", *sys.stdlib_module_names}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_a_page_says_which_packages_its_blocks_need(page: Path) -> None:
    blocks = [block for block in blocks_of(page) if not block.mark.startswith("file: ")]
    text = page.read_text(encoding="utf-8")
    installed = " ".join(re.findall(r"pip install ([^`\n]+)", text)).replace("-", "_").lower()
    for block in blocks:
        for module in imported_by(block.code) - _PROVIDED - set(re.findall(r"file: (\w+)\.py", text)):
            assert _PACKAGES.get(module, module).lower() in installed, f"{page}:{block.line} imports {module}"
        for extra, name in _EXTRAS.items():
            assert not re.search(name, block.code) or extra in installed, f"{page}:{block.line} needs {extra}"


#: What the SDK itself offers with an extra only.
_EXTRAS = {
    "cli": r"\bserve\(|\bserved\b",
    "cache": r"\bResponseCache\(",
    "prometheus": r"\bPrometheus\(",
    "async": r"\bAiohttpTransport\(",
    "test": r"\bread_formation\(|\bRecordedTransport\(",
}


def imported_by(code: str) -> set[str]:
    """The first names of the modules that a block imports."""
    tree = compile(code, "block", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = [alias.name for node in imports for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}
