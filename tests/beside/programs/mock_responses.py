"""Beside responses: answers are registered by URL."""

import json

import responses
from driving import staged

with staged() as stage:
    stage.call_before()
    with responses.RequestsMock() as mock:
        data = {"status": "healthy", "version": "mock", "uptime_seconds": 1}
        mock.get(f"{stage.caller.url}/v1/health", json={"success": True, "data": data})
        events = "".join(f"data: {json.dumps({'type': 'text', 'text': text})}\n\n" for text in ("mo", "ck"))
        done = 'event: done\ndata: {"type": "done"}\n\n'
        mock.post(f"{stage.caller.url}/v1/chat", body=events + done, content_type="text/event-stream")
        stage.call(
            "during",
            lambda: [
                (call.request.method, call.request.url, call.request.headers["X-Tenant"], call.response.status_code)
                for call in mock.calls
            ],
        )
        mock.remove("GET", f"{stage.caller.url}/v1/health")
        mock.assert_all_requests_are_fired = False
        stage.call("unregistered")
    stage.call("after")
