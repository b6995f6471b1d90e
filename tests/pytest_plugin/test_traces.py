"""``--muxi-trace``: a trace file for each failing test, named in its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Pytest

SOURCE = """
import pytest

def test_good(muxi_formation):
    muxi_formation.get_memories(user_id="ada")

def test_bad(muxi_formation):
    muxi_formation.chat("private words", user_id="ada")
    muxi_formation.get_session("none", user_id="ada")

@pytest.mark.parametrize("name", ["a/b", "a:b"])
def test_names(muxi_formation, name):
    muxi_formation.get_memories(user_id=name.replace("/", "-"))
    assert False

def test_silent():
    assert False
"""


def test_each_failing_test_has_a_file_which_its_report_names(run_pytest: Pytest, tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    done = run_pytest(SOURCE, f"--muxi-trace={folder}")
    assert done.counts == {"failed": 4, "passed": 1}
    found = sorted(folder.iterdir())
    assert len(found) == 3
    names = [path.name.rpartition("-")[0] for path in found]
    assert names == ["test_it.py--test_bad", "test_it.py--test_names-a-b", "test_it.py--test_names-a-b"]
    for path in found:
        assert f"muxi-client trace show {path}" in done.output
    (bad,) = (path for path in found if "test_bad" in path.name)
    lines = [json.loads(line) for line in bad.read_text("utf-8").splitlines()]
    assert [line["operation"] for line in lines if line["event"] == "started"] == ["chat", "get_session"]
    assert "private words" in bad.read_text("utf-8")
    assert lines[-1]["why"] == "the answer 404 is final"


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_client_that_was_made_before_the_tests_is_traced_to_the_file_of_each(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    source = """
from muxi import FormationClient

client = FormationClient(url="http://memory", client_key="k", transport="memory")

def test_one():
    client.get_memories(user_id="one")
    assert False

def test_two():
    client.get_memories(user_id="two")
    assert False
"""
    folder = tmp_path / "traces"
    assert run_pytest(source, f"--muxi-trace={folder}").counts == {"failed": 2}
    users = {path.name.split("--")[1][:8]: path.read_text("utf-8").count('"user":') for path in folder.iterdir()}
    assert users == {"test_one": 1, "test_two": 1}


@pytest.mark.slow  # starts an interpreter with pytest
def test_without_the_option_nothing_is_written_and_the_environment_is_left_alone(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    done = run_pytest(
        SOURCE + "\n\ndef test_environment():\n    import os\n    assert 'MUXI_TRACE' not in os.environ\n"
    )
    assert done.counts == {"failed": 4, "passed": 2}
    assert "muxi trace" not in done.output
    assert not [*tmp_path.glob("*.jsonl")]
