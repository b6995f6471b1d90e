"""The recorded wire is complete, well formed, and free of what belongs to the machine that recorded it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WIRE

FORMATION = sorted((WIRE / "captures" / "formation").glob("*.json"))
WEBHOOKS = sorted((WIRE / "captures" / "webhooks").glob("*.json"))

#: Homes and build folders of machines. `/srv/` stands for the paths that were replaced.
MACHINE = re.compile(r"/(?:home|Users|root|work|workspace|private|mnt)/\w|[A-Z]:\\\\Users")
#: The forms of keys that open something elsewhere.
KEYS = re.compile(
    r"sk-(?:proj-|ant-)?[A-Za-z0-9]{32,}|ghp_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY"
)


def test_there_is_something_of_everything() -> None:
    assert len(FORMATION) > 350
    assert len(WEBHOOKS) > 10
    assert {"formation.md", "server.md", "auth-matrix.json", "README.md"} <= {path.name for path in WIRE.iterdir()}


@pytest.mark.parametrize("path", FORMATION, ids=lambda path: path.stem)
def test_an_exchange_has_a_request_and_a_response(path: Path) -> None:
    exchange: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert {"method", "path", "headers"} <= exchange["request"].keys()
    assert {"status", "headers"} <= exchange["response"].keys() or "error" in exchange["response"]


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: path.stem)
def test_a_webhook_has_its_headers_and_its_body(path: Path) -> None:
    assert {"method", "path", "headers", "body"} <= json.loads(path.read_text("utf-8")).keys()


def test_nothing_of_a_machine_and_no_key_that_opens_anything_is_in_it() -> None:
    for path in [*FORMATION, *WEBHOOKS, *WIRE.glob("*.*")]:
        text = path.read_text("utf-8")
        assert not MACHINE.search(text), path
        assert not KEYS.search(text), path
