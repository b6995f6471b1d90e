"""Webhooks of an embedded formation: signed as the runtime signs them, delivered, and tried again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient, ManualClock, webhook
from muxi_transports.memory import (
    Defect,
    Delivery,
    EmbeddedFormation,
    Escalation,
    Failure,
    Later,
    MemoryTransport,
    Part,
    Question,
)
from muxi_transports.requests import RequestsTransport
from tests.memory.conftest import ADMIN, CLIENT

URL = "http://hook.test/in"


@pytest.fixture
def received(formation: EmbeddedFormation) -> list[Delivery]:
    """What has been delivered."""
    deliveries: list[Delivery] = []
    formation.webhooks.deliver_to(deliveries.append)
    return deliveries


def talk(formation: EmbeddedFormation, reply: Any, **fields: Any) -> Any:
    formation.agent("assistant", lambda turn: reply)
    with FormationClient(transport=MemoryTransport(formation), url="http://memory", client_key=CLIENT) as client:
        answer = client.chat({"message": "go", "webhook_url": URL, **fields}, user_id="ada")
    formation.catch_up()
    return answer


def test_a_completion_is_verified_with_the_admin_key(
    formation: EmbeddedFormation, received: list[Delivery], clock: ManualClock
) -> None:
    answer = talk(formation, Later("Grüße 🚀"))
    [sent] = received
    event = webhook.receive(sent.body, sent.signature, ADMIN, clock=clock)
    assert isinstance(event, webhook.Completion)
    assert (event.text, event.request_id) == ("Grüße 🚀", answer["message"]["request_id"])
    assert sent.headers["X-Muxi-Timestamp"] == str(int(clock.time()))
    assert b"\\u00fc" in sent.body, "the body is not in the form that is signed"
    assert not webhook.verify_signature(sent.body, sent.signature, CLIENT, clock=clock)


def test_a_failure_is_told(formation: EmbeddedFormation, received: list[Delivery], clock: ManualClock) -> None:
    talk(formation, Later(Failure("disk full")))
    event = webhook.receive(received[0].body, received[0].signature, ADMIN, clock=clock)
    assert event.status == "failed"
    assert event.error is not None
    assert (event.error.code, event.error.message) == ("processing_failed", "disk full")


def test_a_question_is_told(formation: EmbeddedFormation, received: list[Delivery], clock: ManualClock) -> None:
    talk(formation, Later(Question("Which one?")))
    event = webhook.receive(received[0].body, received[0].signature, ADMIN, clock=clock)
    assert event.clarification is not None
    assert (event.clarification.question, event.clarification.original_message) == ("Which one?", "go")


def test_the_end_of_an_escalation_is_told(
    formation: EmbeddedFormation, received: list[Delivery], clock: ManualClock
) -> None:
    message = talk(formation, Escalation("got it in the end"))["message"]
    assert message["metadata"]["delivery"] == "webhook"
    event = webhook.parse(received[0].body)
    assert isinstance(event, webhook.EscalationEnd)
    assert webhook.verify_signature(received[0].body, received[0].signature, ADMIN, clock=clock)
    assert received[0].body == webhook.canonical(received[0].body)


def test_the_end_of_an_escalation_may_be_signed_with_a_key_that_nobody_knows(clock: ManualClock) -> None:
    imitated = Defect.ESCALATIONS_SIGNED_WITH_UNKNOWN_KEY
    formation = EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=clock, imitate={imitated})
    talk(formation, Escalation("x"))
    [sent] = formation.webhooks.sent
    assert sent.signature is not None
    assert not webhook.verify_signature(sent.body, sent.signature, [ADMIN, CLIENT], clock=clock)


def test_a_notification_is_told(formation: EmbeddedFormation, clock: ManualClock) -> None:
    formation.webhooks.notify(URL, "req_1", "ada", "ping")
    formation.webhooks.notify(URL, "req_1", "ada", "ping", signed=False)
    signed, plain = formation.webhooks.sent
    assert isinstance(webhook.parse(signed.body), webhook.Notification)
    assert (webhook.parse(plain.body).text, plain.signature) == ("ping", None)
    assert webhook.verify_signature(signed.body, signed.signature, ADMIN, clock=clock)


def test_a_delivery_that_fails_is_tried_again_and_signed_anew(formation: EmbeddedFormation, clock: ManualClock) -> None:
    tries: list[tuple[float, Delivery]] = []
    start = clock.time()

    def receiver(sent: Delivery) -> int:
        tries.append((clock.time() - start, sent))
        if len(tries) == 2:
            raise OSError("reset")
        return 503 if len(tries) < 4 else 204

    formation.webhooks.deliver_to(receiver)
    talk(formation, Later("done"))
    clock.advance(60)
    assert [moment for moment, _ in tries] == [0, 1, 3, 7]
    assert [sent.attempt for _, sent in tries] == [1, 2, 3, 4]
    assert len({sent.signature for _, sent in tries}) == 4
    assert len({sent.body for _, sent in tries}) == 1


def test_a_webhook_that_nobody_takes_is_given_up(formation: EmbeddedFormation, clock: ManualClock) -> None:
    formation.webhooks.deliver_to(lambda sent: 500)
    talk(formation, Later("done"))
    clock.advance(3600)
    assert len(formation.webhooks.sent) == 4


def test_without_an_address_nothing_is_sent(formation: EmbeddedFormation) -> None:
    talk(formation, Later("done"), webhook_url=None)
    assert formation.webhooks.sent == []


def test_a_trigger_names_where_its_outcome_goes(formation: EmbeddedFormation, received: list[Delivery]) -> None:
    formation.trigger("hooked", f"---\nwebhook: {URL}\n---\n${{{{ data.what }}}}")
    formation.trigger("bare", "${{ data.what }}")
    with FormationClient(transport=MemoryTransport(formation), url="http://memory", client_key=CLIENT) as client:
        for name in ("hooked", "bare"):
            client.fire_trigger(name, {"what": name}, user_id="ada", async_mode=True)
            client.fire_trigger(name, {"what": name}, user_id="ada", async_mode=False)
    assert [sent.payload["response"][0]["text"] for sent in received] == ["You said: hooked"]


def test_jobs_tell_the_formations_own_address(formation: EmbeddedFormation, clock: ManualClock) -> None:
    formation.webhooks.default_url = URL
    with FormationClient(
        transport=MemoryTransport(formation), url="http://memory", client_key=CLIENT, admin_key=ADMIN
    ) as client:
        client.create_scheduler_job("recurring", "0 * * * *", "report", user_id="ada")
    clock.advance(2 * 3600)
    assert [sent.payload["user_id"] for sent in formation.webhooks.sent] == ["ada", "ada"]


def test_a_shown_delivery_tells_no_secrets(formation: EmbeddedFormation) -> None:
    talk(formation, Later("done"), webhook_url="http://user:hush@hook.test")
    assert "hush" not in repr(formation.webhooks.sent)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A receiver on a real socket."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_go_over_http(
    formation: EmbeddedFormation, endpoint: tuple[str, list[tuple[dict[str, str], bytes]]], clock: ManualClock
) -> None:
    url, got = endpoint
    transport = RequestsTransport()
    formation.webhooks.deliver_to(transport)
    talk(formation, Later("done"), webhook_url=url)
    assert formation.webhooks.settle()
    transport.close()
    [(headers, body)] = got
    assert webhook.receive(body, headers["X-Muxi-Signature"], ADMIN, clock=clock).text == "done"
    assert headers["Content-Type"] == "application/json"


def test_payloads_have_the_recorded_shape(formation: EmbeddedFormation, wire: Path) -> None:
    def parts() -> Iterator[Part]:
        yield "done"

    talk(formation, Later(parts()))
    talk(formation, Escalation("x"))
    formation.webhooks.notify(URL, "r", "ada", "x")
    for sent, name in zip(formation.webhooks.sent, ("012", "021", "013"), strict=True):
        recorded = json.loads((wire / "captures" / "webhooks" / f"{name}.json").read_text("utf-8"))
        wanted = json.loads(recorded["body"])
        assert list(sent.payload) == list(wanted)
        assert [type(value) for value in sent.payload.values()] == [type(value) for value in wanted.values()]
        pairs = recorded["headers"].items() if isinstance(recorded["headers"], dict) else recorded["headers"]
        names = {key.lower() for key, _ in pairs}
        ours = {key.lower() for key, _ in sent.headers.items()}
        assert ours & {"x-muxi-signature", "x-muxi-timestamp"} >= names & {"x-muxi-signature", "x-muxi-timestamp"}
