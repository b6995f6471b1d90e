"""Receive webhooks with Flask.

    pip install muxi-client flask
    MUXI_ADMIN_KEY=… flask --app webhook_flask run

Give the formation ``http://localhost:5000/webhooks/muxi`` as ``webhook_url``.
"""

from __future__ import annotations

import os

from flask import Flask, abort, request

from muxi import webhook

app = Flask(__name__)
guard = webhook.ReplayGuard()


@app.post("/webhooks/muxi")
def receive() -> dict[str, str]:
    signature = request.headers.get(webhook.SIGNATURE_HEADER)
    try:
        event = webhook.receive(request.get_data(), signature, os.environ["MUXI_ADMIN_KEY"], guard=guard)
    except webhook.WebhookVerificationError as error:
        abort(401, error.message)
    handle(event)
    return {"received": event.request_id}


def handle(event: webhook.WebhookEvent) -> None:
    """What is to be done. Be quick, or leave it to a queue: the formation waits, and sends again after a while."""
    if isinstance(event, webhook.Completion) and not event.handed_over:
        print(f"{event.request_id}: {event.error.message if event.error else event.text}")
    elif event.clarification:
        print(f"{event.request_id} asks: {event.clarification.question}")
