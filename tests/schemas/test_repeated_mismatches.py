"""An answer that does not fit is explained once; after that it costs what a look at its shape costs."""

from __future__ import annotations

from typing import Any

import marshmallow
import pytest

from tests.answers import Colour, Playback, answer

#: Answers of one operation that do not fit, each in a way of its own.
WRONG: dict[str, list[dict[str, Any]]] = {
    "a field is missing": [{"memories": []}],
    "a field has another type": [{"memories": 5, "count": "many"}],
    "an item of a list is wrong": [{"memories": [{"id": 1}], "count": 1}],
    "several ways in turn": [{"memories": []}, {"count": 0}, {"memories": [{"id": 1}], "count": 1}],
}


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What marshmallow has been asked to explain."""
    loaded: list[object] = []
    load = marshmallow.Schema._do_load

    def recorded(schema: marshmallow.Schema, data: Any, **options: Any) -> Any:
        loaded.append(data)
        return load(schema, data, **options)

    monkeypatch.setattr(marshmallow.Schema, "_do_load", recorded)
    return loaded


@pytest.mark.parametrize("name", WRONG)
def test_a_mismatch_that_has_been_reported_is_not_explained_again(
    name: str, colour: Colour, explained: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    answers = WRONG[name]
    play = Playback(*[answer(data) for data in answers * 20])
    client = colour.formation(play, validate_responses="warn")
    for _ in answers:
        colour.run(client.get_memories, "ada")
    assert explained, "the first of each kind is explained"
    assert caplog.records
    explained.clear()
    caplog.clear()
    for _ in range(19 * len(answers)):
        colour.run(client.get_memories, "ada")

    assert (explained, caplog.records) == ([], [])


def test_a_new_kind_of_mismatch_is_explained(
    colour: Colour, explained: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    play = Playback(answer({"memories": []}), answer({"count": 1}))
    client = colour.formation(play, validate_responses="warn")
    colour.run(client.get_memories, "ada")
    reported = len(caplog.records)
    colour.run(client.get_memories, "ada")

    assert len(caplog.records) == reported + 1
