"""The tables behind the server's methods are complete: routes, repetitions, time limits, types, tests."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from muxi import AsyncServerClient, ServerClient, types
from muxi.call import Call, Repeat
from muxi.errors import ValidationError
from muxi.exchange.repeat import REPEATS
from muxi.server import ServerOperations
from muxi.streaming.call import StreamCall
from tests.server.bench import Bench, Script
from tests.server.routes import ROUTES


def operations() -> dict[str, Any]:
    """The methods of a server client that make calls of their own routes."""
    names = [name for name in dir(ServerOperations) if not name.startswith("_") and name != "request"]
    return {name: getattr(ServerClient, name) for name in names if callable(getattr(ServerClient, name))}


#: Routes that are no call of the server client, and what there is in their place.
OTHERWISE = {
    "GET /docs": "docs_url",
    "ANY /api/{id}": "formation",
    "ANY /draft/{id}": "formation",
    "ANY /mcp/{id}": "mcp_url",
}


def routes_of(document: str) -> set[str]:
    """The routes that the wire's document has, in headings, tables and at the beginning of paragraphs."""
    found = set()
    for methods, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE|ANY) (/[^`?\s]*)`", document):
        short = re.sub(r"\{[^}]*\}", "{id}", path.removesuffix("/{path}"))
        found.add(f"{methods} {short}")
    # Section headings put several into one line, and the older documentation that section 16 corrects is none.
    for heading in re.findall(r"^## \d+\. .*$", document, re.MULTILINE):
        base = re.search(r"`POST (/rpc/formations/\{id\})/start`", heading)
        for extra in re.findall(r"`(/[a-z]+)`", heading) if base else ():
            found.add(f"POST {base[1]}{extra}" if base else "")
    return found


def covered() -> set[str]:
    """The routes that the methods call, without their queries."""
    found = {f"{route.sends.split('?')[0]}".replace("my-bot", "{id}") for route in ROUTES}
    return found | {
        "GET /ping",
        "POST /rpc/formations",
        "PUT /rpc/formations/{id}",
        "GET /rpc/formations/{id}/download",
    }


def test_every_route_of_the_wire_has_a_method(wire: Path) -> None:
    document = (wire / "server.md").read_text("utf-8").partition("\n## 16.")[0]
    routes = routes_of(document) | {"ANY /draft/{id}", "ANY /mcp/{id}"}
    assert len(routes) >= 21
    assert routes - covered() - OTHERWISE.keys() == set()
    # What the document has only in passing is there all the same.
    assert covered() - routes == set()
    for name in OTHERWISE.values():
        assert hasattr(ServerClient, name)


def test_every_method_is_tried_in_these_tests() -> None:
    tried = {route.method for route in ROUTES}
    here = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for name in operations():
        assert name in tried or f'"{name}"' in here, f"no test of {name}"


def test_every_operation_says_whether_it_bears_repetition() -> None:
    missing = {name for name in operations() if name not in REPEATS and name != "mcp_url"}
    assert missing == set()
    reading = ("get_", "list_", "read_")
    for name in operations():
        if name.startswith(reading) or name in ("ping", "health", "status", "download_formation"):
            assert REPEATS[name] is Repeat.SAFE
        if name.startswith(("deploy", "update", "start", "restart", "rollback", "dev_")):
            assert REPEATS[name] is Repeat.NEVER


def test_what_waits_for_health_checks_has_ten_minutes(bundle: Path) -> None:
    waits = ("start_formation", "restart_formation", "rollback_formation", "deploy_draft")
    for name in waits:
        call: Call[Any] = getattr(ServerClient, name).call("my-bot")
        assert call.timeout == 600
    assert ServerClient.deploy_formation.call(bundle).timeout == 600
    assert ServerClient.update_formation.call("my-bot", bundle).timeout == 600


def test_every_method_is_documented_and_typed() -> None:
    for name, method in operations().items():
        assert inspect.getdoc(method), name
        hints = get_type_hints(inspect.unwrap(method))
        assert "return" in hints, name
        for kind in (ServerClient, AsyncServerClient):
            assert inspect.signature(getattr(kind, name)) is not None


def test_results_are_named_by_their_types() -> None:
    arguments = {"formation_id": "my-bot", "path": "x", "content": "x"}
    for name, method in operations().items():
        if not hasattr(method, "call") or "bundle_path" in inspect.signature(method).parameters:
            continue
        wanted = {key: value for key, value in arguments.items() if key in inspect.signature(method).parameters}
        if name == "dev_run":
            del wanted["path"]
        call = method.call(**wanted)
        if not isinstance(call, StreamCall):
            assert call.returns == "str" or hasattr(types, str(call.returns)), name


def test_urls_that_are_for_others_are_told(bench: Bench) -> None:
    client = bench.client(bench.transport(Script()))
    assert client.docs_url == "http://localhost:7890/docs"
    assert client.mcp_url("my-bot") == "http://localhost:7890/mcp/my-bot"
    with pytest.raises(ValidationError):
        client.mcp_url("../rpc")
