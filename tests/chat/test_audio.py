"""Voice notes: ``POST /audiochat``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi import ValidationError
from muxi.call import Key, Repeat
from muxi.exchange.repeat import REPEATS
from muxi.formation import FormationClient
from muxi.transport import BufferedResponse

NOTE = {"filename": "note.wav", "content": "UklGRg==", "content_type": "audio/wav", "size": 4}


def recorded(wire: Path, name: str) -> BufferedResponse:
    response = json.loads((wire / "captures" / "formation" / f"{name}.json").read_text("utf-8"))["response"]
    return BufferedResponse(
        response["status"], [tuple(pair) for pair in response["headers"]], response["body"].encode()
    )


def test_a_voice_note_is_answered(both: Any, answers: Callable[..., Any], wire: Path) -> None:
    script = answers(recorded(wire, "audio_nocontent"))
    answer = both(lambda client: client.audio_chat({"files": [("note.wav", b"RIFF")]}, user_id="aud"), script)
    assert answer["message"]["content"] == "Stub reply to: hello from the voice note"
    (request,) = script.requests
    assert (request.method, request.path) == ("POST", "/v1/audiochat")
    assert request.headers["X-Muxi-User-ID"] == "aud"
    assert script.bodies == [{"files": [NOTE], "stream": False}]


def test_a_voice_note_is_answered_by_a_stream(both: Any, answers: Callable[..., Any], wire: Path) -> None:
    script = answers(recorded(wire, "audio_stream"))
    events = both(lambda client: client.audio_chat_stream(files=[("note.wav", b"RIFF")]), script)
    assert "".join(event["text"] for event in events if event["type"] == "text").startswith("Stub reply to: hello")
    assert events[-1]["type"] == "done"
    assert script.bodies == [{"files": [NOTE], "stream": True}]


def test_files_of_the_payload_and_beside_it_go_along(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply("ok"))
    both(lambda client: client.audio_chat({"files": [NOTE], "session_id": "s"}, files=[("b.mp3", b"")]), script)
    (body,) = script.bodies
    assert [file["filename"] for file in body["files"]] == ["note.wav", "b.mp3"]
    assert body["session_id"] == "s"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "files"),
        ({"files": []}, "files"),
        ({"files": [("a.txt", b"hi")]}, "files.0.content_type"),
        ({"files": [NOTE, b"RIFF"]}, "files.1.content_type"),
        ({"files": [{"filename": "a.wav", "content": ""}]}, "files.0.content_type"),
        ({"files": [{"mime_type": "video/mp4"}]}, "files.0.mime_type"),
    ],
)
def test_what_is_not_audio_is_not_sent(
    both: Any, answers: Callable[..., Any], payload: dict[str, Any], field: str
) -> None:
    unasked = answers({})
    for method in ("audio_chat", "audio_chat_stream"):
        with pytest.raises(ValidationError) as caught:
            both(lambda client, method=method: getattr(client, method)(payload), unasked)
        assert [problem["field"] for problem in caught.value.details["validation_errors"]] == [field]
    assert unasked.requests == []


def test_either_name_of_the_media_type_will_do(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply("ok"))
    both(lambda client: client.audio_chat({"files": [{"mime_type": "audio/wav", "content": "aGk="}]}), script)
    assert len(script.requests) == 1


def test_a_payload_is_a_mapping() -> None:
    with pytest.raises(ValidationError, match="files="):
        FormationClient.audio_chat.call("note.wav")  # type: ignore[arg-type]  # the mistake in question


def test_the_runtime_repeats_and_tracks_no_voice_note() -> None:
    call = FormationClient.audio_chat.call(files=[NOTE])
    assert call.key is Key.CLIENT
    assert not call.tracked
    assert REPEATS["audio_chat"] is REPEATS["audio_chat_stream"] is Repeat.NEVER
