"""Fixtures of the tests of batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.support import Caller, Formation


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Batches of each colour in turn."""
    return Caller(request.param)


@pytest.fixture
def formation() -> Formation:
    """A formation that answers each message in capitals."""
    return Formation()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal goes."""
    return tmp_path / "run.jsonl"
