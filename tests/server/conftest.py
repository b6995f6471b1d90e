"""Server clients of both colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.bench import AFS, Bench, archive


@pytest.fixture(params=["sync", "async"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A bench of each colour in turn."""
    return Bench(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The bundle of ``my-bot``, version 1.2.0, on disk."""
    path = tmp_path / "my-bot.tar.gz"
    path.write_bytes(archive({"my-bot/formation.afs": AFS, "my-bot/agents/main.afs": "id: main\n"}))
    return path
