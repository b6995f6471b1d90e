"""The embedded formation answers as the recorded one did: status, codes, keys, types, order of frames.

To add a resource, add a module ``setups_<resource>.py`` beside this one; nothing else has to be changed. It may have

- ``ANSWERS``: name of a capture -> what must have happened before, a function of the formation (or a ``Setup``, where
  the formation has to imitate a defect or to have another id). The capture's request is then replayed, and the answer
  compared: status, headers, error, envelope, keys, types, and their order.
- ``STREAMS``: name of a capture that streams a chat -> a function from the recorded answer to the same.
- ``BEGINNINGS``: name of a capture of a stream that was cut off -> as in ``ANSWERS``; what came, in its order.
- ``FEEDS``: name of a capture of a stream without an end -> as in ``ANSWERS``; as much as was recorded is compared.
- ``LEFT``: name of a capture that no embedded formation can give -> the reason.

A capture that is in none of them fails the last test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import Response
from tests.memory.conformance.replay import Prepare, Setup, load, make, replay, setup
from tests.memory.conformance.shape import frames, outline, shape, stable

SETUPS: list[ModuleType] = [
    import_module(f"tests.memory.conformance.{path.stem}") for path in sorted(Path(__file__).parent.glob("setups_*.py"))
]


def collected(name: str) -> dict[str, Any]:
    """What all set-ups have under a name; a capture belongs to one of them."""
    found: dict[str, Any] = {}
    for module in SETUPS:
        entries: dict[str, Any] = getattr(module, name, {})
        assert not (twice := found.keys() & entries), f"{module.__name__} repeats {sorted(twice)}"
        found |= entries
    return found


ANSWERS: dict[str, Prepare | Setup] = collected("ANSWERS")
STREAMS: dict[str, Callable[[str], Prepare | Setup]] = collected("STREAMS")
BEGINNINGS: dict[str, Prepare | Setup] = collected("BEGINNINGS")
FEEDS: dict[str, Prepare | Setup] = collected("FEEDS")
LEFT: dict[str, str] = collected("LEFT")


def headers(pairs: Any) -> list[tuple[str, str]]:
    return [(name.lower(), stable(value)) for name, value in pairs]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_as_recorded(name: str, wire: Path, clock: ManualClock) -> None:
    capture = load(wire, name)
    response = replay(make(ANSWERS[name], clock), capture["request"])
    expected = capture["response"]
    assert response.status == expected["status"]
    assert [header.lower() for header, _ in response.headers.items()] == [h[0].lower() for h in expected["headers"]]
    assert response.content_type == dict(expected["headers"]).get("content-type", "").split(";")[0]
    body = response.read()
    if capture["request"]["method"] == "HEAD":
        return
    assert response.headers["content-length"] == str(len(body))
    if response.content_type != "application/json":
        assert body.decode() == expected["body"]
        return
    answer, wanted = json.loads(body), json.loads(expected["body"])
    assert list(answer) == list(wanted)
    if "error" in wanted:
        assert answer["error"] == wanted["error"]
        assert (answer["object"], answer["type"]) == (wanted["object"], wanted["type"])
        assert answer["request"]["idempotency_key"] == wanted["request"]["idempotency_key"]
    assert shape(answer) == shape(wanted)
    assert json.dumps(shape(answer)) == json.dumps(shape(wanted)), "the keys come in another order"


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_as_recorded(name: str, wire: Path, clock: ManualClock) -> None:
    capture = load(wire, name)
    expected = capture["response"]
    wanted = list(frames(expected["body"]))
    completed = next(
        frame["token"] for _, frame in wanted if frame and frame.get("token", {}).get("type") == "completed"
    )
    response = replay(make(STREAMS[name](completed["content"]), clock), capture["request"])
    assert headers(response.headers.items()) == headers(expected["headers"])
    got = list(frames(response.read().decode()))
    assert [outline(frame) for frame in got] == [outline(frame) for frame in wanted]
    assert [shape(frame) for _, frame in got] == [shape(frame) for _, frame in wanted]
    assert json.dumps([shape(frame) for _, frame in got]) == json.dumps([shape(frame) for _, frame in wanted])


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_is_as_recorded(name: str, wire: Path, clock: ManualClock) -> None:
    capture = load(wire, name)
    formation = make(FEEDS[name], clock)
    response = replay(formation, capture["request"])
    if then := setup(FEEDS[name]).then:
        then(formation)
    expected = capture["response"]
    assert response.status == expected["status"]
    assert headers(response.headers.items()) == headers(expected["headers"])
    assert read(response, len(expected["body"].encode())) == expected["body"]


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_stream_begins_as_recorded(name: str, wire: Path, clock: ManualClock) -> None:
    capture = load(wire, name)
    response = replay(make(BEGINNINGS[name], clock), capture["request"])
    assert response.status == capture["response"]["status"]
    got, wanted = list(frames(response.read().decode())), list(frames(capture["response"]["body"]))
    assert wanted
    assert [outline(frame) for frame in got[: len(wanted)]] == [outline(frame) for frame in wanted]


def test_every_capture_has_its_place(wire: Path) -> None:
    names = {path.stem for path in (wire / "captures" / "formation").glob("*.json")}
    covered = ANSWERS.keys() | STREAMS.keys() | BEGINNINGS.keys() | FEEDS.keys()
    assert not (covered & LEFT.keys()), "covered, and said to be left"
    assert not ((covered | LEFT.keys()) - names), "no such captures"
    assert not sorted(names - covered - LEFT.keys())


def read(response: Response, size: int) -> str:
    """So many bytes of a stream that need not end."""
    content = b""
    try:
        for piece in response.chunks() if size else ():
            content += piece
            if len(content) >= size:
                break
    finally:
        response.close()
    return content.decode()
