"""Receive webhooks with FastAPI.

    pip install muxi-client fastapi uvicorn
    MUXI_ADMIN_KEY=… uvicorn webhook_fastapi:app

Give the formation ``http://localhost:8000/webhooks/muxi`` as ``webhook_url``.
"""

from __future__ import annotations

import os

from fastapi import FastAPI, HTTPException, Request

from muxi import webhook

app = FastAPI()
guard = webhook.ReplayGuard()


@app.post("/webhooks/muxi")
async def receive(request: Request) -> dict[str, str]:
    body = await request.body()
    signature = request.headers.get(webhook.SIGNATURE_HEADER)
    try:
        event = webhook.receive(body, signature, os.environ["MUXI_ADMIN_KEY"], guard=guard)
    except webhook.WebhookVerificationError as error:
        raise HTTPException(401, error.message) from error
    handle(event)
    return {"received": event.request_id}


def handle(event: webhook.WebhookEvent) -> None:
    """What is to be done. Be quick, or leave it to a queue: the formation waits, and sends again after a while."""
    match event:
        case webhook.Completion(handed_over=True):
            pass  # not the end yet
        case webhook.Completion(error=webhook.ErrorDetails(message=reason)):
            print(f"{event.request_id} failed: {reason}")
        case webhook.Completion():
            print(f"{event.request_id} is done: {event.text}")
        case webhook.ClarificationRequest(clarification=webhook.Clarification(question=question)):
            print(f"{event.request_id} asks: {question}")
