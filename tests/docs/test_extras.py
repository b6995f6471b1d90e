"""Extras that pages, examples and messages name are those of the distribution."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples", "muxi", "muxi_transports")
TEXTS = [
    ROOT / "README.md",
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".md", ".py")),
]


@pytest.fixture(scope="module")
def extras() -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(config["options.extras_require"])


def test_every_extra_that_is_named_is_there(extras: set[str]) -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), extra.strip())
        for path in TEXTS
        if "_build" not in path.parts
        for group in re.findall(r"muxi-client\[([a-z, ]+)\]", path.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert {extra for _, extra in named} >= {"async", "cli", "test", "tracing"}
    assert not {(path, extra) for path, extra in named if extra not in extras}
