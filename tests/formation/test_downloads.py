"""Artifacts on their way to disk: whole or not at all, and never in memory as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, hookimpl
from muxi.clock import ManualClock
from muxi.errors import ConnectionError, NotFoundError, ServerError, TimeoutError, ValidationError
from muxi.exchange.download import describe
from muxi.transport import BufferedResponse, Headers, Request
from tests.answers import AsyncColour, Colour, Playback, failure
from tests.scripted import HOLD, PATIENCE, Script, ScriptedAsyncTransport, ScriptedTransport, Step

PIECES = (b"artifact ", b"body ", b"line 1")
CONTENT = b"".join(PIECES)


class Download(Script):
    """A server that sends a file, again for each request.

    Args:
        attempts: the pieces of each answer, one after the other; the last is given from then on.
        headers: of the answers, in place of their length.
    """

    def __init__(self, *attempts: tuple[Step, ...], **headers: str) -> None:
        super().__init__()
        self.attempts = list(attempts)
        self.headers = headers or {"content_length": str(len(CONTENT))}

    def answer(self, request: Request) -> tuple[int, Headers, tuple[Step, ...]]:
        self.requests.append(request)
        steps = self.attempts.pop(0) if len(self.attempts) > 1 else self.attempts[0]
        headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return 200, Headers({"content-type": "text/plain; charset=utf-8", **headers}), steps


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def client_of(colour: Colour, script: Script, **settings: Any) -> Any:
    kind = ScriptedAsyncTransport if isinstance(colour, AsyncColour) else ScriptedTransport
    return colour.formation(transport=kind(script), clock=ManualClock(), **settings)


def test_the_file_is_written_as_it_arrives(colour: Colour, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    sizes: list[int] = []

    def grown() -> None:
        sizes.extend(part.stat().st_size for part in tmp_path.iterdir())

    big = b"x" * 300_000
    script = Download((big, grown, big), content_length=str(2 * len(big)))
    path = tmp_path / "report.txt"
    result = colour.run(
        client_of(colour, script).download_artifact, "art", path, "ada", progress=lambda *so_far: seen.append(so_far)
    )
    assert path.read_bytes() == 2 * big
    assert result == {"path": str(path), "size": 600_000, "content_type": "text/plain", "filename": None}
    assert seen == [(300_000, 600_000), (600_000, 600_000)]
    assert sizes == [300_000]
    assert script.freed == 1


def test_what_is_asked_for(colour: Colour, tmp_path: Path) -> None:
    script = Download(PIECES)
    colour.run(client_of(colour, script).download_artifact, "art 1", tmp_path / "a", "ada", 2)
    request = script.requests[0]
    assert request.url.endswith("/v1/artifacts/art%201/content?version=2")
    assert request.headers.get("x-muxi-user-id") == "ada"
    assert request.headers.get("accept") == "*/*"
    assert request.headers.get("accept-encoding") == "identity"
    assert request.stream
    assert request.timeouts.total == 600


def test_a_file_that_is_there_is_replaced_once_the_new_one_is_whole(colour: Colour, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    before: list[str] = []
    script = Download((b"artifact ", lambda: before.append(path.read_text()), b"body line 1"))
    colour.run(client_of(colour, script).download_artifact, "art", str(path), "ada")
    assert before == ["before"]
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.txt"]


def test_a_download_that_breaks_off_is_begun_anew(colour: Colour, tmp_path: Path) -> None:
    script = Download((b"artifact ", ConnectionError("CONNECTION_LOST", "gone")), (b"artifact ",), PIECES)
    path = tmp_path / "a"
    result = colour.run(client_of(colour, script).download_artifact, "art", path, "ada")
    assert path.read_bytes() == CONTENT
    assert result["size"] == len(CONTENT)
    assert len(script.requests) == 3
    assert script.freed == 3


@pytest.mark.parametrize("pieces", [PIECES[:2], (*PIECES, b"more")])
def test_a_download_of_the_wrong_length_is_refused(colour: Colour, tmp_path: Path, pieces: tuple[Step, ...]) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(ConnectionError, match="were announced") as truncated:
        colour.run(client_of(colour, Download(pieces), max_retries=0).download_artifact, "art", path, "ada")
    assert truncated.value.code == "TRUNCATED"
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_length_that_is_not_the_files_is_not_held_against_it(colour: Colour, tmp_path: Path) -> None:
    script = Download(PIECES, content_length="7", content_encoding="gzip")
    assert colour.run(client_of(colour, script).download_artifact, "art", tmp_path / "a", "ada")["size"] == len(CONTENT)


def test_nobody_need_say_how_long_it_is(colour: Colour, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    script = Download(PIECES, transfer_encoding="chunked")
    colour.run(
        client_of(colour, script).download_artifact, "a", tmp_path / "a", "ada", progress=lambda *it: seen.append(it)
    )
    assert seen[-1] == (len(CONTENT), None)


def test_an_error_leaves_no_file(colour: Colour, tmp_path: Path) -> None:
    client = colour.formation(failure(404, "NOT_FOUND", "Artifact 'none' not found"))
    with pytest.raises(NotFoundError, match="Artifact 'none' not found"):
        colour.run(client.download_artifact, "none", tmp_path / "a", "ada")
    assert names(tmp_path) == []


def test_a_bad_gateway_is_tried_again_and_told_at_last(colour: Colour, tmp_path: Path) -> None:
    playback = Playback(*[failure(502)] * 3)
    with pytest.raises(ServerError):
        colour.run(colour.formation(playback, max_retries=2).download_artifact, "a", tmp_path / "a", "ada")
    assert len(playback.requests) == 3


@pytest.mark.parametrize("path", ["", ".", "no/such/folder/a"])
def test_a_place_that_no_file_can_be_put_into_is_told_before_sending(
    colour: Colour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    playback = Playback()
    with pytest.raises(ValidationError) as refused:
        colour.run(colour.formation(playback).download_artifact, "art", path, "ada")
    assert [problem["field"] for problem in refused.value.details["validation_errors"]] == ["path"]
    assert playback.requests == []


def test_a_version_below_one_is_told_before_sending(colour: Colour, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"query\.version"):
        colour.run(colour.formation(Playback()).download_artifact, "art", tmp_path / "a", "ada", 0)


def test_what_the_callers_function_raises_ends_the_download_and_leaves_nothing(colour: Colour, tmp_path: Path) -> None:
    def enough(_size: int, _total: int | None) -> None:
        raise InterruptedError("enough")

    script = Download(PIECES)
    with pytest.raises(InterruptedError):
        colour.run(client_of(colour, script).download_artifact, "art", tmp_path / "a", "ada", progress=enough)
    assert names(tmp_path) == []
    assert script.freed == 1
    assert len(script.requests) == 1


def test_a_download_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    script = Download((b"artifact ", HOLD))

    async def cancelled() -> None:
        client = AsyncFormationClient(
            url="http://localhost:8001", client_key="fmc_test", transport=ScriptedAsyncTransport(script)
        )
        download = asyncio.create_task(client.download_artifact("art", tmp_path / "a", "ada"))
        assert await asyncio.to_thread(script.held.wait, PATIENCE)
        assert len(names(tmp_path)) == 1
        download.cancel()
        with pytest.raises(asyncio.CancelledError):
            await download

    asyncio.run(cancelled())
    assert names(tmp_path) == []
    assert script.freed == 1


def test_a_disk_that_fails_is_named(colour: Colour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    script = Download(PIECES)
    client = client_of(colour, script)
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ValidationError, match=r"a' cannot be written: No space left"):
        colour.run(client.download_artifact, "art", tmp_path / "a", "ada")
    assert names(tmp_path) == []
    assert script.freed == 1
    assert len(script.requests) == 1


def test_a_timeout_says_which_bound_it_was(colour: Colour, tmp_path: Path) -> None:
    script = Download((b"artifact ", TimeoutError("TIMEOUT", "no more came for 600 s", bound="timeout")))
    with pytest.raises(TimeoutError, match="raise it with timeout="):
        colour.run(client_of(colour, script, max_retries=0).download_artifact, "art", tmp_path / "a", "ada")
    assert names(tmp_path) == []


def test_a_plugin_may_answer(colour: Colour, tmp_path: Path) -> None:
    class Cache:
        @hookimpl
        def muxi_intercept(self, request: Request) -> BufferedResponse:
            return BufferedResponse(200, [("content-type", "text/plain")], CONTENT)

    client = colour.formation(Playback(), plugins=[Cache()])
    assert colour.run(client.download_artifact, "art", tmp_path / "a", "ada")["size"] == len(CONTENT)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_plugin_sees_the_result(colour: Colour, tmp_path: Path) -> None:
    seen: list[Any] = []

    class Audit:
        @hookimpl
        def muxi_call_finished(self, outcome: Any) -> None:
            seen.append(outcome.result)

    client = client_of(colour, Download(PIECES), plugins=[Audit()])
    result = colour.run(client.download_artifact, "art", tmp_path / "a", "ada")
    assert seen == [result]


def test_the_answer_can_be_had_beside_the_result(colour: Colour, tmp_path: Path) -> None:
    script = Download(PIECES, content_length=str(len(CONTENT)), x_muxi_artifact_version="2")
    raw = colour.run(client_of(colour, script).with_raw_response.download_artifact, "art", tmp_path / "a", "ada")
    assert raw.headers.get("x-muxi-artifact-version") == "2"
    assert raw.data["size"] == len(CONTENT)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ("inline; filename=\"report.txt\"; filename*=UTF-8''r%C3%A4port.txt", "räport.txt"),
        ('attachment; filename="demo-echo.zip"', "demo-echo.zip"),
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment; filename="a \\"quoted\\" name.txt"', 'a "quoted" name.txt'),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("inline; filename*=utf-8'en'..%2F..%2Fa.txt", "a.txt"),
        ('attachment; filename="C:\\\\temp\\\\a.txt"', "a.txt"),
        ('attachment; filename=".."', None),
        ('attachment; filename=""', None),
        ("attachment", None),
        ("", None),
    ],
)
def test_the_name_that_the_platform_gives_has_no_folders(disposition: str, filename: str | None) -> None:
    response = BufferedResponse(200, [("content-disposition", disposition)])
    assert describe(response, "p", 0)["filename"] == filename
