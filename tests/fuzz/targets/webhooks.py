"""Targets: the bodies and the signature headers of webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from muxi import ManualClock, webhook
from tests.fuzz.corpus import recorded_webhooks
from tests.fuzz.registry import goes_on, target
from tests.fuzz.targets.scripted import only_errors

_SECRET = "a secret that nobody knows"
_CLOCK = ManualClock(1_795_361_748)


@target("webhook", recorded_webhooks, b'"status":', b'"timestamp":', b'"response":', b'"clarification', b'"error":')
def webhook_body(data: bytes) -> None:
    only_errors(lambda: webhook.parse(data).made_at)
    if not goes_on(data):
        return
    text = data.decode("utf-8", "replace")
    header = f"t={_CLOCK.time():.0f},v1={'0' * 64}"
    only_errors(
        lambda: webhook.parse(text),
        lambda: webhook.verify_signature(data, header, _SECRET, clock=_CLOCK),
        lambda: webhook.receive(data, header, _SECRET, clock=_CLOCK),
        lambda: webhook.receive(data, webhook.sign(data, _SECRET, int(_CLOCK.time())), _SECRET, clock=_CLOCK),
    )


def _headers() -> Iterator[bytes]:
    yield webhook.sign(b'{"a":1}', _SECRET, 1_795_361_748).encode()
    yield b"t=1795361748,v1=00,v1=11,v0=22"
    yield b"t=,v1="


@target("webhook-header", _headers, b"t=", b"v1=", b",", b"=", b"v0=", b"\xd9\xa3")
def webhook_header(data: bytes) -> None:
    only_errors(lambda: webhook.verify_signature(b'{"a":1}', data, _SECRET, clock=_CLOCK))
    if not goes_on(data):
        return
    text = data.decode("utf-8", "surrogateescape")
    only_errors(
        lambda: webhook.verify_signature(b'{"a":1}', text, _SECRET, clock=_CLOCK),
        lambda: webhook.receive(b'{"a":1}', text, _SECRET, clock=_CLOCK),
    )
