"""Probes of chats: answers at once, streams, files, voice notes, widgets, and what a turn leaves behind."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import pytest
from marshmallow import Schema, fields

import muxi
from muxi import NotFoundError, ServerError, StreamInterrupted, TimeoutError, TurnFailed, ValidationError
from tests.live.lab.model import TRANSCRIPT
from tests.live.lab.replies import UNICODE
from tests.live.probing import Live, probe


class RecipeSchema(Schema):
    name = fields.String(required=True)
    steps = fields.List(fields.String(), required=True)


def voice_note() -> bytes:
    """A tenth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return file.getvalue()


@probe("chat", "get_request_status", "get_requests")
def test_an_answer_at_once(live: Live) -> None:
    answer = live("chat", "Tell me about apples", user_id=live.user)
    assert answer["message"]["content"] == "Stub reply to: Tell me about apples"
    assert answer["user_id"] == live.user
    request = muxi.meta(answer).request_id
    assert live("get_request_status", request, live.user)["status"] == "completed"
    assert request in {entry["request_id"] for entry in live("get_requests", live.user)["requests"]}
    assert muxi.pending(answer) is None


@probe("chat")
def test_the_payload_reaches_the_agent(live: Live) -> None:
    answer = live(
        "chat", {"message": UNICODE, "session_id": f"s-{live.name}", "agent_id": "researcher"}, user_id=live.user
    )
    assert UNICODE in answer["message"]["content"]
    assert answer["session_id"] == f"s-{live.name}"
    # An answer may be given before it is in its session.
    live.wait_for(
        lambda: live("get_session_messages", f"s-{live.name}", live.user)["messages"],
        lambda messages: "researcher" in {message["metadata"].get("agent_id") for message in messages},
    )


@probe("chat", on=["multi"])
def test_a_turn_that_cannot_be(live: Live) -> None:
    with pytest.raises(ValidationError):
        live("chat", "x" * 100_001, user_id=live.user)
    with pytest.raises(ServerError, match="nobody"):
        live("chat", {"message": "Tell me about the weather", "agent_id": "nobody"}, user_id=live.user)


@probe("chat", on=["single"])
def test_a_failed_turn_is_tried_again_in_the_background(live: Live) -> None:
    message = {"message": "Tell me about the weather", "agent_id": "nobody"}
    turn = muxi.pending(live("chat", message, user_id=live.user))
    assert turn is not None
    assert turn.escalated
    assert live("get_request_status", turn.request_id, live.user)["status"] in ("processing", "running", "completed")


@probe("chat_stream")
def test_a_stream(live: Live) -> None:
    text, result = live.text("chat_stream", f"Count for {live.name} [[words:40]]", user_id=live.user)
    assert text == result["content"] == " ".join(f"w{number}" for number in range(1, 41))
    events = live.collect("chat_stream", "Tell me about plums", user_id=live.user)
    assert [event["type"] for event in events][-2:] == ["completed", "done"]
    assert "".join(event["text"] for event in events if event["type"] == "text") == "Stub reply to: Tell me about plums"
    assert {"progress", "thinking"} <= {event["type"] for event in events}


@probe("chat_stream")
@pytest.mark.parametrize("mark", ["unicode", "lines"])
def test_any_text_comes_through_a_stream(live: Live, mark: str) -> None:
    text, result = live.text("chat_stream", f"Any text [[{mark}]]", user_id=live.user)
    # The final text is cleaned of control characters, the deltas are not.
    assert "".join(text.split()) == "".join(result["content"].split())
    assert result["content"]


@probe("chat_stream")
def test_a_model_that_breaks_off(live: Live) -> None:
    text, result = live.text("chat_stream", f"Go on {live.name} [[cut]] [[words:9]]", user_id=live.user)
    assert text == result["content"]


@probe("chat_stream")
def test_a_blocked_turn_ends_by_the_stall_timeout(live: Live) -> None:
    impatient = live("with_options", stall_timeout=3.0, idle_timeout=30.0)
    with pytest.raises((TimeoutError, StreamInterrupted, TurnFailed)) as caught:
        live.collect("chat_stream", "Do harm [[threat]]", user_id=live.user, on=impatient)
    assert caught.value.request_id


@probe("chat_stream", "chat")
def test_a_question_and_its_answer(live: Live) -> None:
    session = f"s-{live.name}"
    text, result = live.text("chat_stream", {"message": "Sales? [[clarify]]", "session_id": session}, user_id=live.user)
    assert text == result["content"] == "Which region do you mean?"
    assert result["metadata"]["status"] == "awaiting_clarification"
    answer = live("chat", {"message": "Europe", "session_id": session}, user_id=live.user)
    assert "Stub reply" in answer["message"]["content"]


@probe("chat", on=["multi"], defect="agents remember others")
def test_an_agent_is_shown_what_another_user_said(live: Live) -> None:
    live("chat", f"The secret of {live.name}", user_id=f"first-{live.user}")
    before, session = len(live.lab.model.calls), f"s-{live.name}"
    live("chat", {"message": "Sales? [[clarify]]", "session_id": session}, user_id=live.user)
    live("chat", {"message": "Europe", "session_id": session}, user_id=live.user)
    assert [call for call in live.lab.model.calls[before:] if f"The secret of {live.name}" in call.text]


@probe("chat", on=["multi"])
def test_widgets(live: Live) -> None:
    for name in ("work", "home"):
        live.formation.command(
            "store_credential", user_id=live.user, service="github", credential={"token": "t"}, name=name
        )
    message = "My repositories? [[clarify]] [[service:github]]"
    answer = live("chat", {"message": message, "session_id": f"s-{live.name}"}, user_id=live.user)
    (widget,) = muxi.parse_ui_widgets(answer)
    assert {option["value"] for option in widget["options"]} == {"work", "home"}
    chosen = {"message": "work", "session_id": f"s-{live.name}", "ui_response": {"id": widget["id"], "value": "work"}}
    assert live("chat", chosen, user_id=live.user)["message"]["content"]


@probe("chat", "chat_stream", defect="documents as they are")
def test_documents_reach_the_agent_as_base64(live: Live, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(f"{live.name}: tea", encoding="utf-8")
    before = len(live.lab.model.calls)
    live("chat", "What is in the file?", user_id=live.user, files=[path])
    live.text("chat_stream", "And in this?", user_id=live.user, files=[("more.txt", f"{live.name}: cake".encode())])
    read = "\n".join(call.text for call in live.lab.model.calls[before:])
    for name, content in (("notes.txt", f"{live.name}: tea"), ("more.txt", f"{live.name}: cake")):
        assert name in read
        assert content not in read
        assert base64.b64encode(content.encode()).decode() in read


@probe("audio_chat", "audio_chat_stream")
def test_voice_notes(live: Live) -> None:
    note = ("note.wav", voice_note(), "audio/wav")
    answer = live("audio_chat", user_id=live.user, files=[note])
    assert answer["message"]["content"] == f"Stub reply to: {TRANSCRIPT}"
    text, result = live.text("audio_chat_stream", user_id=live.user, files=[note])
    assert text == result["content"] == f"Stub reply to: {TRANSCRIPT}"


@probe("chat_parsed")
def test_an_answer_as_data(live: Live) -> None:
    recipe = live("chat_parsed", "A recipe please [[recipe]]", RecipeSchema, user_id=live.user)
    assert recipe == {"name": "soup", "steps": ["boil", "serve"]}
    with pytest.raises(ValidationError) as caught:
        live("chat_parsed", "No recipe", RecipeSchema, user_id=live.user)
    assert caught.value.code == "ANSWER_NOT_JSON"


@probe("get_artifacts", "iter_artifacts", "get_artifact", "get_artifact_versions", "download_artifact", "chat_stream")
def test_files_that_a_turn_makes(live: Live, tmp_path: Path) -> None:
    body, before = f"made for {live.name}", _sizes(live)
    for version in (1, 2):
        message = {"message": f"Write it [[file:{body} {version}]]", "session_id": f"s-{live.name}"}
        _, result = live.text("chat_stream", message, user_id=live.user)
        (made,) = result["artifacts"]
        assert base64.b64decode(made["data_url"].partition(",")[2]).decode() == f"{body} {version}"
        before = _sizes_after(live, before)
    listed = live("get_artifacts", live.owner)
    ids = [found["id"] for found in listed["artifacts"]]
    assert [found["id"] for found in live.collect("iter_artifacts", live.owner)] == ids
    artifact = listed["artifacts"][0]
    assert (artifact["name"], artifact["content_type"]) == ("report.txt", "text/plain")
    assert live("get_artifact", artifact["id"], live.owner)["id"] == artifact["id"]
    versions = live("get_artifact_versions", artifact["id"], live.owner)["versions"]
    assert [version["version"] for version in versions] == sorted(
        (version["version"] for version in versions), reverse=True
    )
    saved = live("download_artifact", artifact["id"], tmp_path / "latest.txt", live.owner)
    assert (saved["filename"], saved["size"]) == ("report.txt", len(f"{body} 2"))
    assert (tmp_path / "latest.txt").read_text(encoding="utf-8") == f"{body} 2"
    live("download_artifact", artifact["id"], tmp_path / "older.txt", live.owner, versions[1]["version"])
    assert (tmp_path / "older.txt").read_text(encoding="utf-8") == f"{body} 1"
    with pytest.raises(NotFoundError):
        live("get_artifact", "none", live.owner)


@probe("chat", defect="file in the answer")
def test_an_answer_at_once_with_a_file(live: Live) -> None:
    before = _sizes(live)
    with pytest.raises(ServerError, match="not JSON serializable") as caught:
        live("chat", f"Write it [[file:{live.name}]]", user_id=live.user)
    assert caught.value.attempts == 1
    assert _sizes_after(live, before)


def _sizes_after(live: Live, before: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the artifacts once they are others than before: they are stored after the turn."""
    return live.wait_for(lambda: _sizes(live), lambda sizes: sizes != before)


def _sizes(live: Live) -> list[tuple[str, int]]:
    """Return the artifacts of the user, each with its version."""
    return [(found["name"], found["version"]) for found in live("get_artifacts", live.owner)["artifacts"]]
