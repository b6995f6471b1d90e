"""Beside HTTPretty, which answers below http.client, in the place of sockets."""

import json

import httpretty
from driving import MOCKED_HEALTH, MOCKED_STREAM, staged

with staged() as stage:
    url = stage.caller.url
    stage.call_before()
    httpretty.enable()  # without a real socket behind it, the present urllib3 finds no socket.shutdown
    httpretty.register_uri("GET", f"{url}/v1/health", json.dumps(MOCKED_HEALTH), content_type="application/json")
    httpretty.register_uri("POST", f"{url}/v1/chat", MOCKED_STREAM, content_type="text/event-stream")
    stage.call("during", lambda: sorted({(it.method, it.path) for it in httpretty.latest_requests()}))
    httpretty.disable()
    httpretty.reset()
    stage.call("after")
