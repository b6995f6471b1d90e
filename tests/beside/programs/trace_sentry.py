"""Beside the SDK of Sentry: spans, breadcrumbs, and the header that hands the trace on."""

from typing import Any

import sentry_sdk
from driving import staged
from sentry_sdk.transport import Transport

sent: list[dict[str, Any]] = []


class Kept(Transport):
    def capture_envelope(self, envelope: Any) -> None:
        sent.extend(item.payload.json for item in envelope.items if item.payload.json)


def observe() -> list[Any]:
    """Spans of the transaction and breadcrumbs of an event, those of the formation."""
    spans = [span for payload in sent if payload.get("type") == "transaction" for span in payload["spans"]]
    events = [payload for payload in sent if "logentry" in payload or "message" in payload]
    crumbs = [crumb for payload in events for crumb in payload["breadcrumbs"]["values"] if crumb["type"] == "http"]
    sent.clear()
    return [
        [(span["op"], span["description"], span["data"]["http.response.status_code"]) for span in spans],
        [
            (it["category"], it["data"]["url"], it["data"]["http.method"], it["data"]["http.response.status_code"])
            for it in crumbs
        ],
    ]


with staged() as stage:
    stage.call_before()
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Kept, traces_sample_rate=1.0)
    with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(name="program"):
        stage.call("during")
        sentry_sdk.capture_message("done")
    sentry_sdk.flush()
    stage.phases[-1]["seen"] = observe()
