"""Beside responses, which answers by URL."""

import responses
from driving import MOCKED_HEALTH, MOCKED_STREAM, staged

with staged() as stage:
    url = stage.caller.url
    stage.call_before()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{url}/v1/health", json=MOCKED_HEALTH)
        mock.post(f"{url}/v1/chat", body=MOCKED_STREAM, content_type="text/event-stream")
        stage.call(
            "during",
            lambda: [(it.request.method, it.request.url, it.request.headers["X-Tenant"]) for it in mock.calls],
        )
        mock.remove("GET", f"{url}/v1/health")
        stage.call("unregistered")
    stage.call("after")
