"""Tests whose formation is recorded the first time, and played from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muxi.testing.taped import cassette_path
from muxi_transports.memory import EmbeddedFormation, Served, serve
from tests.pytest_plugin.conftest import Pytest

SOURCE = """
import asyncio
import pytest
from muxi import AsyncFormationClient, FormationClient

def test_of_a_fixture(muxi_formation, muxi_cassette):
    assert muxi_formation.chat("Hi", user_id="ada")["message"]["content"] == "Recorded Hi"

def test_of_the_code(muxi_cassette):
    async def ask():
        async with AsyncFormationClient() as client:
            return (await client.chat("Ho", user_id="ada"))["message"]["content"]
    assert asyncio.run(ask()) == "Recorded Ho"

@pytest.mark.muxi_cassette("mine.yaml")
@pytest.mark.parametrize("text", ["a/b"])
def test_of_a_name(muxi_formation, muxi_cassette, text):
    assert "".join(muxi_formation.chat_stream(text, user_id="ada").text()) == "Recorded a/b"
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    formation = EmbeddedFormation(client_key="fmc_hushhush")
    formation.agent("assistant", lambda turn: f"Recorded {turn.message}")
    with serve(formation) as served:
        yield served


@pytest.fixture
def there(served: Served) -> dict[str, str]:
    """The environment of somebody who has a formation."""
    return {"MUXI_FORMATION_URL": served.url, "MUXI_CLIENT_KEY": "fmc_hushhush"}


@pytest.mark.slow  # starts an interpreter with pytest
def test_recorded_once_and_played_where_nobody_has_a_formation(
    run_pytest: Pytest, tmp_path: Path, there: dict[str, str]
) -> None:
    run = run_pytest(SOURCE, environment=there)
    assert run.counts == {"passed": 3}, run.output
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml")}
    folder = Path("cassettes", "test_it")
    assert files == {str(folder / "test_of_a_fixture.yaml"), str(folder / "test_of_the_code.yaml"), "mine.yaml"}
    assert not [name for name in files if "hushhush" in (tmp_path / name).read_text(encoding="utf-8")]
    played = run_pytest(SOURCE, "--muxi-record=none")
    assert played.counts == {"passed": 3}, played.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_what_was_not_recorded_fails_the_test_and_is_not_sent(
    run_pytest: Pytest, tmp_path: Path, there: dict[str, str]
) -> None:
    source = """
from muxi import MuxiError

def test_it(muxi_formation, muxi_cassette):
    try:
        assert muxi_formation.chat("MESSAGE", user_id="ada")["message"]["content"] == "Recorded MESSAGE"
    except MuxiError:
        pass
"""
    assert run_pytest(source, environment=there).counts == {"passed": 1}
    (cassette,) = tmp_path.rglob("*.yaml")
    before = cassette.read_text(encoding="utf-8")
    other = source.replace("MESSAGE", "other")
    run = run_pytest(other, environment=there)
    assert run.counts == {"failed": 1}, run.output
    assert "body.message: sent 'other', recorded 'MESSAGE'" in run.output
    assert cassette.read_text(encoding="utf-8") == before
    assert run_pytest(other, "--muxi-record=all", environment=there).counts == {"passed": 1}
    assert "other" in cassette.read_text(encoding="utf-8")


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_test_that_fails_records_nothing(run_pytest: Pytest, tmp_path: Path, there: dict[str, str]) -> None:
    run = run_pytest(SOURCE.replace("Recorded Hi", "Another thing"), "-k", "fixture", environment=there)
    assert run.counts["failed"] == 1, run.output
    assert not list(tmp_path.rglob("*.yaml"))


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("test", ["test_of_a_fixture", "test_of_the_code"])
def test_without_a_cassette_and_an_address_the_error_says_that_nothing_is_recorded(
    run_pytest: Pytest, test: str
) -> None:
    run = run_pytest(SOURCE, "-k", test)
    assert run.counts == {"failed": 1, "deselected": 2}, run.output
    assert "nothing is recorded yet at" in run.output
    assert f"{test}.yaml" in run.output
    assert "set MUXI_FORMATION_URL and MUXI_CLIENT_KEY" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("test", ["test_of_a_fixture", "test_of_the_code"])
def test_mode_none_without_a_cassette_fails_the_test_before_it_begins(run_pytest: Pytest, test: str) -> None:
    run = run_pytest(SOURCE, "-k", test, "--muxi-record=none")
    assert run.counts == {"error": 1, "deselected": 2}, run.output
    assert "there is no cassette" in run.output
    assert f"{test}.yaml" in run.output
    assert "During handling" not in run.output


HANDLED = """
import pytest
from muxi import FormationClient, MuxiError

def ask():
    try:
        with FormationClient() as formation:
            formation.chat("Hi", user_id="ada")
    except MuxiError:
        pass
"""

LEFT = """
muxi-cassette: 1
exchanges:
- request:
    method: POST
    url: /v1/chat
    headers: {X-Muxi-User-ID: ada}
    json: {message: Hi, stream: false}
  response:
    status: 200
    text: '{"data":'
    closed: 0.1
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_cassette_that_cannot_be_played_or_written_fails_the_test(
    run_pytest: Pytest, tmp_path: Path, there: dict[str, str]
) -> None:
    (tmp_path / "left.yaml").write_text(LEFT, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    source = """
@pytest.mark.muxi_cassette(file="left.yaml")
def test_left(muxi_cassette):
    ask()

@pytest.mark.muxi_cassette("x" * 245 + ".yaml")  # the file that is renamed to it has a longer name yet
def test_unwritable(muxi_cassette):
    ask()

@pytest.mark.parametrize("name", ["folder", "empty.yaml"])
def test_no_cassette(name, request):
    request.node.add_marker(pytest.mark.muxi_cassette(name))
    request.getfixturevalue("muxi_cassette")
"""
    run = run_pytest(HANDLED + source, environment=there)
    assert run.counts == {"failed": 4}, run.output
    for said in ("the reader left here", "folder cannot be read", "empty.yaml is empty", "xx.yaml cannot be written"):
        assert said in run.output, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_test_of_unittest_that_fails_records_nothing(
    run_pytest: Pytest, tmp_path: Path, there: dict[str, str]
) -> None:
    source = """
import unittest

class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, muxi_cassette):
        pass

    def test_it(self):
        ask()
        self.fail("no")

    def test_a_part(self):
        with self.subTest():
            ask()
            self.fail("no")
"""
    run = run_pytest(HANDLED + source, environment=there)
    assert run.code == 1, run.output
    assert not list(tmp_path.rglob("*.yaml"))


@pytest.mark.slow  # starts an interpreter with pytest
def test_two_tests_have_not_one_cassette_by_accident(run_pytest: Pytest, tmp_path: Path, there: dict[str, str]) -> None:
    source = """
@pytest.mark.parametrize("text", ["Hi!", "Hi?"])
def test_it(muxi_cassette, text):
    ask()

@pytest.mark.muxi_cassette("shared.yaml")
@pytest.mark.parametrize("text", ["Hi!", "Hi?"])
def test_shared(muxi_cassette, text):
    ask()
"""
    run = run_pytest(HANDLED + source, environment=there)
    assert "test_it_Hi.yaml is the cassette of test_it.py::test_it[Hi!] already" in run.output
    assert 'name one for this test: @pytest.mark.muxi_cassette("other.yaml")' in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_markers_of_a_class_and_a_test_go_together(run_pytest: Pytest, tmp_path: Path, there: dict[str, str]) -> None:
    source = """
@pytest.mark.muxi_cassette(allow_repeats=True, mode="new")
class TestIt:
    @pytest.mark.muxi_cassette("mine.yaml")
    def test_it(self, muxi_cassette):
        assert muxi_cassette.allow_repeats
        ask()
"""
    run = run_pytest(HANDLED + source, environment=there)
    assert run.counts == {"passed": 1}, run.output
    assert (tmp_path / "mine.yaml").exists()


def test_the_name_of_a_long_test_is_one_that_a_file_can_have() -> None:
    names = [cassette_path(None, Path("test_it.py"), f"test_it[{'long ' * 99}{end}]").name for end in "ab"]
    assert len({*names}) == 2
    assert all(len(name) < 180 for name in names)


@pytest.mark.parametrize(
    ("file", "name", "expected"),
    [
        (None, "test_a", "tests/cassettes/test_it/test_a.yaml"),
        (None, "TestBot::test_a[de/x y]", "tests/cassettes/test_it/TestBot.test_a_de_x_y.yaml"),
        ("a.yaml", "test_a", "tests/a.yaml"),
        ("/elsewhere/a.yaml", "test_a", "/elsewhere/a.yaml"),
    ],
)
def test_where_cassettes_are(file: str | None, name: str, expected: str) -> None:
    assert cassette_path(file, Path("tests/test_it.py"), name).as_posix() == expected
