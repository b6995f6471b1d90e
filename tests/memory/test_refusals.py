"""What the real formation refuses, the embedded one refuses too: values that look harmless and are invalid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi import FormationClient, ManualClock
from muxi.call import Call, Key
from muxi.errors import ValidationError
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from tests.conftest import Capture


@pytest.fixture
def formation() -> EmbeddedFormation:
    return EmbeddedFormation(clock=ManualClock())


@pytest.fixture
def client(formation: EmbeddedFormation) -> Iterator[FormationClient]:
    with FormationClient(
        transport=MemoryTransport(formation), url="http://memory", client_key="any", admin_key="any", max_retries=0
    ) as client:
        yield client


@pytest.mark.parametrize("identifier", ["", " ", "\t\n"])
def test_an_empty_identifier_names_nobody(client: FormationClient, identifier: str) -> None:
    call: Call[Any] = Call.post("/users/resolve", body={"identifier": identifier}, key=Key.CLIENT)
    with pytest.raises(ValidationError, match="identifier must be a non-empty string, got: str = ") as raised:
        client.send(call)
    assert (raised.value.status_code, raised.value.code) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("timestamp", [None, 5, 1.5, True, [], {}])
def test_a_restored_message_has_a_text_for_its_time(client: FormationClient, timestamp: object) -> None:
    body = {"messages": [{"role": "user", "content": "x", "timestamp": timestamp}]}
    call: Call[Any] = Call.post("/sessions/s/restore", body=body, key=Key.CLIENT, user_id="ada")
    with pytest.raises(ValidationError) as raised:
        client.send(call)
    assert raised.value.status_code == 422


def test_any_text_is_a_time_to_the_recorded_formation(capture: Callable[[str], Capture]) -> None:
    assert capture("sess_restore_badts").status == 200


@pytest.mark.parametrize(
    ("matter", "message"),
    [
        ("transformer: nope", "Invalid transformer for trigger 't': transformer 'nope' not found in"),
        ("transformer: slack", "supplies no destination URL"),
        ("transformer: a b", "Invalid frontmatter in trigger 't': 'transformer' must be a name"),
        ("transformer: 5", "'transformer' must be a name"),
        ("webhook: ''", "'webhook' must be a non-empty URL string"),
        ("webhook: ftp://x", "'webhook' must be an http"),
        ("channel: a b", "'channel' must be a name"),
        ("model: 5", "'model' must be a non-empty string"),
        ("webhok: https://x", r"unknown trigger frontmatter key\(s\): \['webhok'\]"),
        ("- a", "trigger frontmatter must be a YAML mapping"),
        ("a: [", "invalid YAML in trigger frontmatter"),
        ("a: " + "[" * 5000, "nested too deeply"),
    ],
)
def test_a_trigger_with_a_front_matter_that_is_no_good_is_refused(
    formation: EmbeddedFormation, client: FormationClient, matter: str, message: str
) -> None:
    formation.trigger("t", f"---\n{matter}\n---\nHello")
    with pytest.raises(ValidationError, match=message) as raised:
        client.fire_trigger("t", {}, user_id="ada")
    assert (raised.value.status_code, raised.value.code) == (400, "INVALID_REQUEST")


def test_a_trigger_with_a_good_front_matter_is_fired(formation: EmbeddedFormation, client: FormationClient) -> None:
    formation.trigger("t", "---\nname: t\ntransformer: slack\nwebhook: https://hook.test/x\n---\nHello")
    assert client.fire_trigger("t", {}, user_id="ada", async_mode=False)["status"] == "completed"
