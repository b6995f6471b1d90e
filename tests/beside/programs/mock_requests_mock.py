"""Beside requests-mock, which answers by URL."""

import requests_mock
from driving import MOCKED_HEALTH, MOCKED_STREAM, staged

with staged() as stage:
    url = stage.caller.url
    stage.call_before()
    with requests_mock.Mocker() as mock:
        mock.get(f"{url}/v1/health", json=MOCKED_HEALTH)
        mock.post(f"{url}/v1/chat", text=MOCKED_STREAM, headers={"Content-Type": "text/event-stream"})
        stage.call("during", lambda: [(it.method, it.url, it.headers["X-Tenant"]) for it in mock.request_history])
        mock.reset()
    with requests_mock.Mocker() as mock:
        mock.post(f"{url}/v1/chat", text=MOCKED_STREAM, headers={"Content-Type": "text/event-stream"})
        stage.call("unregistered")
    stage.call("after")
