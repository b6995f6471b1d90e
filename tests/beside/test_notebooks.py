"""Answers, results and streams in a real notebook kernel, in another environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.beside.environments import provide_environment

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "run_notebook.py"


def test_a_notebook_shows_streams_and_answers_as_markdown_and_results_as_tables(tmp_path: Path) -> None:
    python = provide_environment("notebook")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "JUPYTER_", "IPYTHON"))}
    done = subprocess.run(
        [str(python), str(PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env={**kept, "MUXI_TRANSPORT": "memory", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    imported, stream, chat, table, shown, awaited, result, other, closed = json.loads(done.stdout.splitlines()[-1])
    assert imported == closed == []
    assert [kind for kind, _ in stream][:2] == ["display_data", "update_display_data"]
    assert stream[-1][1]["text/markdown"] == "You said: *Hello*"
    ((kind, bundle),) = chat
    assert (kind, bundle["text/markdown"]) == ("execute_result", "You said: *Hello*")
    assert "text/html" not in bundle
    ((kind, bundle),) = table
    assert "<td>Prefers &lt;b&gt;Python&lt;/b&gt;</td>" in bundle["text/html"]
    assert "text/markdown" not in bundle
    assert shown[-2][1]["text/markdown"] == "You said: Async"
    assert shown[-1] == ["stream", "You said: Async\n"]
    assert awaited[-1][1]["text/markdown"] == "You said: Awaited"
    assert result[-1][1]["text/markdown"] == "You said: *Later*"
    assert other[-1][1].keys() == {"text/plain"}
