"""The notice of newer versions: when it is due, where that is kept, and that nothing ever comes of its troubles."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import ManualClock, MuxiError, __version__
from muxi.plugins import VersionNotice, version_notice
from muxi.plugins.version_notice import is_newer
from tests.answers import Colour, Playback, answer, chat_events, failure
from tests.requirements import require_module

HOUR = 3600.0


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program finds it that has just been started, on nobody's build server."""
    monkeypatch.setattr(version_notice, "_seen", set())
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".muxi" / "sdk-versions.json"


def announced(latest: str = "99.1.0") -> Any:
    return answer({}, X_Muxi_Sdk_Latest=latest)


def run(colour: Colour, file: Path | str, response: Any = None, *, at: float = 0.0, **settings: Any) -> None:
    """One call in a new process, at this many seconds."""
    version_notice._seen.clear()
    plugin = VersionNotice(str(file), clock=ManualClock(1_800_000_000 + at), **settings)
    colour.run(colour.formation(Playback(response or announced()), plugins=[plugin]).get_memories, "ada")


def test_a_newer_version_is_told_on_stderr(colour: Colour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(colour, file)
    output = capsys.readouterr()
    assert output.err == (
        f"[muxi] the server announces version 99.1.0 of the Python SDK (this is {__version__}). "
        "MUXI_SDK_VERSION_NOTIFICATION=0 turns this notice off.\n"
    )
    assert output.out == ""


def test_it_is_told_every_twelve_hours_on_a_machine(
    colour: Colour, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(at: float) -> bool:
        run(colour, file, at=at)
        return capsys.readouterr().err != ""

    assert [told(at) for at in (0, 1, 11.9 * HOUR, 12.1 * HOUR, 24 * HOUR, 25 * HOUR)] == [
        *(True, False, False),
        *(True, False, True),
    ]
    assert told(-HOUR), "a clock that was set back silences nothing"


def test_it_is_told_once_in_a_process(colour: Colour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = VersionNotice(str(file))
    client = colour.formation(*(announced() for _ in range(3)), plugins=[plugin])
    for _ in range(3):
        colour.run(client.get_memories, "ada")
        file.unlink(missing_ok=True)
    assert capsys.readouterr().err.count("\n") == 1


def test_the_file_is_the_one_of_the_platforms_sdks(
    colour: Colour, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(file.parents[1]))
    monkeypatch.setenv("USERPROFILE", str(file.parents[1]))
    file.parent.mkdir()
    go = {"current": "1.0.0", "latest": "1.1.0", "last_notified": "2026-01-01T00:00:00"}
    file.write_text(json.dumps({"go": go, "python": {"else": 1}}))
    colour.run(colour.formation(announced(), plugins=[VersionNotice()]).get_memories, "ada")
    found = json.loads(file.read_text())
    assert found["go"] == go, "what others keep there stays"
    last = datetime.fromisoformat(found["python"].pop("last_notified"))
    assert last.tzinfo is None
    assert abs((datetime.now() - last).total_seconds()) < 60
    assert found["python"] == {"else": 1, "current": __version__, "latest": "99.1.0"}
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '"x"',
        '{"python": 3}',
        '{"python": {"last_notified": "soon"}}',
        '{"python": {"last_notified": 5}}',
    ],
)
def test_a_file_that_makes_no_sense_is_made_anew(
    colour: Colour, file: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_text(content)
    run(colour, file)
    assert "99.1.0" in capsys.readouterr().err
    assert json.loads(file.read_text())["python"]["latest"] == "99.1.0"


def test_a_time_with_a_zone_is_understood(colour: Colour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"python": {"last_notified": "2027-01-15T09:00:00+01:00"}}))  # when the clock starts
    run(colour, file, at=60)
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_written_is_no_matter(
    colour: Colour, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "muxi.plugins")
    (tmp_path / "file").write_text("")
    run(colour, tmp_path / "file" / "sdk-versions.json")
    assert "99.1.0" in capsys.readouterr().err
    assert "cannot be written" in caplog.text
    run(colour, tmp_path)
    assert "99.1.0" in capsys.readouterr().err


def test_a_machine_without_a_home_is_told_too(
    colour: Colour, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    colour.run(colour.formation(announced(), plugins=[VersionNotice()]).get_memories, "ada")
    assert "99.1.0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_program_without_stderr_is_left_alone(colour: Colour, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    run(colour, file)
    assert "last_notified" not in json.loads(file.read_text())["python"]


@pytest.mark.parametrize(
    ("switch", "ci", "told"),
    [
        ("0", None, False),
        ("0", "true", False),
        (None, "true", False),
        (None, "1", False),
        (None, "false", True),
        ("1", "true", True),
        ("1", None, True),
    ],
)
def test_it_can_be_switched_off_and_is_on_build_servers(
    colour: Colour,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    switch: str | None,
    ci: str | None,
    told: bool,
) -> None:
    for name, value in (("MUXI_SDK_VERSION_NOTIFICATION", switch), ("CI", ci)):
        if value is not None:
            monkeypatch.setenv(name, value)
    run(colour, file)
    assert (capsys.readouterr().err != "") == told
    assert file.exists() == told


@pytest.mark.parametrize("latest", [__version__, "0.0.1", "", "newest", "99.1.0; rm -rf /", "9" * 200, "99.0rc1"])
def test_what_is_not_newer_is_not_told(
    colour: Colour, file: Path, latest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(colour, file, announced(latest))
    assert capsys.readouterr().err == ""
    assert not file.exists()


def test_answers_of_every_kind_are_looked_at(colour: Colour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def client(response: Any) -> Any:
        file.unlink(missing_ok=True)
        return colour.formation(response, plugins=[VersionNotice(str(file))], max_retries=0)

    with pytest.raises(MuxiError, match="503"):
        colour.run(client(failure(503, x_muxi_sdk_latest="99.2")).chat, "hi")
    stream = chat_events("Hi")
    stream.headers["X-Muxi-Sdk-Latest"] = "99.3"
    colour.run(colour.run(client(stream).chat_stream, "hi").result)
    assert re.findall(r"99\.\d", capsys.readouterr().err) == ["99.2", "99.3"]


def test_without_the_plugin_nothing_is_printed(colour: Colour, capsys: pytest.CaptureFixture[str]) -> None:
    colour.run(colour.formation(announced()).get_memories, "ada")
    assert capsys.readouterr().err == ""


# Versions

IN_ORDER = [
    *("0.9", "0.10.dev1", "0.10a1.dev1", "0.10a1", "0.10a2", "0.10b1", "0.10rc1", "0.10rc2", "0.10", "0.10.post1"),
    *("0.10.1", "1.0.0.dev0", "1.0", "1.2.9", "1.2.10", "1.20260713.0", "2.0", "1!0.1"),
]


@given(st.integers(0, len(IN_ORDER) - 1), st.integers(0, len(IN_ORDER) - 1))
def test_versions_are_in_the_order_of_the_package_index(one: int, other: int) -> None:
    preview = re.compile("dev|a|b|rc")
    for_everybody = not preview.search(IN_ORDER[one]) or preview.search(IN_ORDER[other])
    assert is_newer(IN_ORDER[one], IN_ORDER[other]) == (one > other and bool(for_everybody))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1"),
        ("1.0.0", "1.0"),
        ("v1.0", "1.0"),
        ("1.0-1", "1.0.post1"),
        ("1.0alpha1", "1.0a1"),
        ("1.0+x.1", "1.0"),
    ],
)
def test_versions_are_the_same_however_they_are_spelt(one: str, other: str) -> None:
    assert not is_newer(one, other)
    assert not is_newer(other, one)


@given(st.text(), st.text())
def test_no_text_is_too_strange_to_compare(one: str, other: str) -> None:
    assert not (is_newer(one, other) and is_newer(other, one))


def test_it_is_what_the_packaging_library_says() -> None:
    version = require_module("packaging.version").Version
    for one in IN_ORDER:
        for other in IN_ORDER:
            if version(other).is_prerelease or not version(one).is_prerelease:
                assert is_newer(one, other) == (version(one) > version(other)), (one, other)
