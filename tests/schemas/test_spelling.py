"""Misspelt fields of payloads are noticed once; fields that are new to the SDK are sent without a word."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from muxi import FormationClient
from muxi_transports.memory import EmbeddedFormation, MemoryTransport


def messages_of(caplog: pytest.LogCaptureFixture, *payloads: Any) -> list[str]:
    with (
        caplog.at_level(logging.WARNING, "muxi"),
        FormationClient(transport=MemoryTransport(EmbeddedFormation())) as formation,
    ):
        for payload in payloads:
            formation.chat(payload, user_id="ada")
    return [record.getMessage() for record in caplog.records]


def test_a_misspelt_field_is_named_with_the_nearest_once_and_sent(caplog: pytest.LogCaptureFixture) -> None:
    payload = {"message": "x", "sesion_id": "s"}
    assert messages_of(caplog, payload, payload) == [
        "chat (POST /chat): the platform knows no field 'sesion_id'; did you mean 'session_id'?"
    ]


def test_a_misspelt_field_of_an_item_is_named_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    file = {"filename": "a.txt", "content": "YQ==", "contnt_type": "text/plain", "size": 1}
    assert messages_of(caplog, {"message": "x", "files": [file, file]}) == [
        "chat (POST /chat): the platform knows no field 'files.contnt_type'; did you mean 'content_type'?"
    ]


@pytest.mark.parametrize(
    "payload",
    [
        {"message": "x", "something_new": 1},
        {"message": "x", "threshold_seconds": 3},
        {"message": "x", "session_ids": "s", "session_id": "s"},
        {"message": "x", "z" * 10_000: 1},
    ],
    ids=["new", "known to callers", "beside the right one", "long"],
)
def test_a_field_that_is_like_no_other_passes(payload: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    assert messages_of(caplog, payload) == []
