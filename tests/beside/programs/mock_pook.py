"""Beside pook, which answers by URL."""

import pook
from driving import MOCKED_HEALTH, MOCKED_STREAM, staged

with staged() as stage:
    url = stage.caller.url
    stage.call_before()
    pook.on()
    health = pook.get(f"{url}/v1/health").persist().reply(200).json(MOCKED_HEALTH).mock
    chat = pook.post(f"{url}/v1/chat").persist().reply(200).type("text/event-stream").body(MOCKED_STREAM).mock
    stage.call(
        "during",
        lambda: [(it.method, it.url.geturl(), it.headers["X-Tenant"]) for it in (*health.matches, *chat.matches)],
    )
    pook.off()
    pook.reset()
    stage.call("after")
