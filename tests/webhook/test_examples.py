"""The examples of receivers, each in its framework, with webhooks that are genuine and with others."""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from muxi import webhook
from tests.requirements import require_module

SECRET = "a secret that nobody knows"
PATH = "/webhooks/muxi"
BODY = b'{"id": "req_1", "status": "completed", "response": [{"type": "text", "text": "Gr\\u00fc\\u00dfe"}]}'

#: Deliver a body with headers; the status and the text of the answer.
Deliver = Callable[[bytes, Mapping[str, str]], tuple[int, str]]


@pytest.fixture(params=["fastapi", "flask", "django"])
def deliver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliver]:
    """Deliver webhooks to the example for each framework."""
    framework: str = request.param
    require_module(framework)
    monkeypatch.setenv("MUXI_ADMIN_KEY", SECRET)
    module = load(f"webhook_{framework}")
    with {"fastapi": by_fastapi, "flask": by_flask, "django": by_django}[framework](module) as deliver:
        yield deliver


def load(name: str) -> ModuleType:
    """An example as a module, once in a process: Django is set up only once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@contextmanager
def by_fastapi(module: ModuleType) -> Iterator[Deliver]:
    require_module("httpx")
    with warnings.catch_warnings():
        # Newer ones say which HTTP library they would rather have.
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    client = TestClient(module.app)

    def deliver(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        response = client.post(PATH, content=body, headers=dict(headers))
        return response.status_code, response.text

    yield deliver


@contextmanager
def by_flask(module: ModuleType) -> Iterator[Deliver]:
    client = module.app.test_client()

    def deliver(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        response = client.post(PATH, data=body, headers=dict(headers), content_type="application/json")
        return response.status_code, response.get_data(as_text=True)

    yield deliver


@contextmanager
def by_django(module: ModuleType) -> Iterator[Deliver]:
    from django.test import Client, override_settings

    client: Any = Client(enforce_csrf_checks=True, headers={"Host": "localhost"})

    def deliver(body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        response = client.post(PATH, data=body, content_type="application/json", headers=dict(headers))
        return response.status_code, response.content.decode()

    # Another example may have set Django up in this process.
    with override_settings(ROOT_URLCONF=module.__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["localhost"]):
        yield deliver


def signed(body: bytes, age: int = 0) -> dict[str, str]:
    return {webhook.SIGNATURE_HEADER: webhook.sign(body, SECRET, int(time.time()) - age)}


def test_a_genuine_webhook_is_handled_once(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    headers = signed(BODY, age=1)
    status, text = deliver(BODY, headers)
    assert (status, "req_1" in text) == (200, True)
    assert "Grüße" in capsys.readouterr().out
    status, text = deliver(BODY, headers)
    assert (status, "received before" in text) == (401, True)
    assert capsys.readouterr().out == ""


def test_a_question_is_handled(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"request_id":"r","status":"awaiting_clarification","clarification_question":"Which?"}'
    assert deliver(body, signed(body))[0] == 200
    assert "asks: Which?" in capsys.readouterr().out


def test_anything_else_is_refused(deliver: Deliver, capsys: pytest.CaptureFixture[str]) -> None:
    for body, headers in (
        (BODY, {}),
        (BODY.replace(b"req_1", b"req_2"), signed(BODY)),
        (BODY, signed(BODY, age=900)),
        (b"{", signed(BODY)),
    ):
        status, text = deliver(body, headers)
        assert status == 401
        assert SECRET not in text
    assert capsys.readouterr().out == ""
