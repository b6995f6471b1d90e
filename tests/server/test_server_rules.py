"""The embedded server follows the rules of ``server.md``: every step of every stream, every refusal, whatever comes."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory.conformance.shape import frames
from tests.server.bench import archive
from tests.server.desk import AFS, BOT, Answered, Desk, rows

STEPS = rows("### Texts of the steps")
REFUSALS = rows("### Texts of refused actions on drafts")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("route", sorted({row[0] for row in STEPS}))
def test_the_steps_of_a_stream_are_those_of_the_wire(desk: Desk, route: str) -> None:
    answer = desk.stream(route)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    found = list(frames(answer.text))
    assert [event for event, _ in found] == ["progress"] * (len(found) - 1) + ["complete"]
    wanted = [(stage, message) for of, stage, message in STEPS if of == route]
    got = [(data["stage"], _general(data["message"])) for _, data in found[:-1]]
    assert got == wanted
    extras = {data["stage"]: data.keys() - {"stage", "message"} for _, data in found[:-1]}
    assert extras.get("spawning_staging", {"staging_port"}) == {"staging_port"}
    assert extras["health_check"] == {"attempt", "max_attempts"}
    assert extras["resolving_runtime"] == {"version"}


def _general(message: str) -> str:
    """A message with its numbers as the table has them."""
    message = re.sub(r"(port )\d+", r"\1N", message)
    return re.sub(r"(Resolved runtime version: )\S+", r"\1V", message)


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_refused_action_on_a_draft_says_what_the_wire_says(desk: Desk, row: list[str]) -> None:
    there, body, status, code, message = row
    if there == "one":
        desk.draft({"action": "init", "mode": "new"})
        desk.draft({"action": "write", "path": "agents/x", "content": ""})
        desk.draft({"action": "delete", "path": "agents/x"})
    answer = desk.draft(body, Accept="text/event-stream")
    assert (answer.status, answer.json["error"], answer.json["message"]) == (int(status), code, message)
    assert answer.json["draft"]["exists"] is (there == "one")
    assert answer.json["success"] is False


def test_a_draft_with_another_id_is_refused_in_both_ways(desk: Desk) -> None:
    desk.draft({"action": "init", "mode": "new"})
    desk.draft({"action": "write", "path": "formation.afs", "content": "id: other\ndescription: x\n"})
    plain = desk.draft({"action": "deploy"})
    message = "Formation ID mismatch: expected 'my-bot' but config contains 'other'"
    assert (plain.status, plain.json) == (400, {"error": "Bad Request", "message": message, "code": 400})
    streamed = list(frames(desk.draft({"action": "deploy"}, Accept="text/event-stream").text))
    assert [event for event, _ in streamed] == ["progress", "error"]
    assert streamed[-1][1] == {"error": "IDMismatch", "message": message, "stage": "validating"}
    assert desk.server.find("my-bot") is None


def test_a_good_deployment_takes_its_draft_along(desk: Desk) -> None:
    desk.edit("1.0.0")
    assert desk.draft({"action": "deploy"}).status == 201
    assert desk.draft({"action": "list"}).json["draft"] == {"exists": False}
    assert desk.draft({"action": "init", "mode": "clone"}).status == 200


def test_an_update_without_a_change_says_so_before_it_validates(desk: Desk) -> None:
    desk.deploy()
    found = list(frames(desk.update("1.0.0", Accept="text/event-stream").text))
    assert [data.get("stage") for _, data in found] == ["extracting", "validating"]
    assert found[-1][0] == "error"
    assert found[-1][1]["error"] == "NoChange"


@pytest.mark.parametrize(("output", "attempts"), [("no", 0), (None, 30)])
@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("deploy", "Formation failed health check after 30s: {}"),
        ("update", "New version failed health check: {}. Old version still running - zero downtime maintained."),
        ("restart", "{}"),
        ("start", "{}"),
        ("rollback", "Previous version failed health check: {}. Current version still running."),
    ],
)
def test_a_process_that_dies_has_no_attempt_of_its_own(
    desk: Desk, route: str, message: str, output: str | None, attempts: int
) -> None:
    if route != "deploy":
        desk.deploy()
    if route == "rollback":
        desk.update()
    if route == "start":
        desk.send("POST", f"{BOT}/stop")
    desk.server.fail_starts("my-bot", output)
    accept: dict[str, Any] = {"Accept": "text/event-stream"}
    acts: dict[str, Any] = {"deploy": desk.deploy, "update": desk.update}
    answer = acts[route](**accept) if route in acts else desk.send("POST", f"{BOT}/{route}", **accept)
    found = list(frames(answer.text))
    assert sum("attempt" in data for _, data in found) == attempts
    crash, timeout = "Formation crashed during startup:\nno", "health check failed after 30 attempts (timeout: 30s)"
    cause = timeout if output is None else crash
    assert found[-1][1] == {"error": "HealthCheckFailed", "message": message.format(cause), "stage": "health_check"}


def test_a_formation_file_without_a_version_has_none(desk: Desk) -> None:
    content = archive({"bot/formation.afs": "id: my-bot\ndescription: x\n"})
    headers = {"Content_Type": "application/gzip", "X_Formation_ID": "my-bot"}
    assert desk.send("POST", "/rpc/formations", content, **headers).status == 201
    listed = desk.send("GET", "/rpc/formations").json["data"]["formations"][0]
    assert "semantic" not in listed["version"]
    cloned = desk.draft({"action": "init", "mode": "clone"}).json
    assert "base_version" not in cloned["draft"]
    assert cloned["live"] == {"status": "running"}


@pytest.mark.parametrize("depth", [50, 5_000, 50_000])
@pytest.mark.parametrize("text", ["x: {}\n", "{}\n"])
def test_a_formation_file_nested_deeply_is_taken_or_refused(desk: Desk, depth: int, text: str) -> None:
    file = "id: my-bot\ndescription: x\n" + text.format("[" * depth + "]" * depth)
    content = archive({"bot/formation.afs": file})
    headers = {"Content_Type": "application/gzip", "X_Formation_ID": "my-bot"}
    answer = desk.send("POST", "/rpc/formations", content, **headers)
    assert answer.status in (201, 400)
    if answer.status == 400:
        assert answer.json["message"].startswith("Failed to parse formation config: ")
    desk.draft({"action": "init", "mode": "new"})
    desk.draft({"action": "write", "path": "formation.afs", "content": file})
    for path, body in (("/rpc/dev/run", b'{"formation_id":"my-bot"}'), (f"{BOT}/draft/files", b'{"action":"deploy"}')):
        assert desk.send("POST", path, body).status in (200, 201, 400, 409)


# What may stand in each place of a request, the good and the bad.
_ACTIONS = st.sampled_from(["init", "list", "read", "write", "delete", "discard", "deploy", "dance", ""])
_PATHS = st.one_of(
    st.sampled_from(["", ".", "/", "formation.afs", "/formation.afs", "agents/a.afs", "formation.afs/x", "../x"]),
    st.text(alphabet=string.ascii_letters + "./\0é ", max_size=12),
)
_DRAFTS = st.fixed_dictionaries(
    {},
    optional={
        "action": _ACTIONS,
        "mode": st.sampled_from(["new", "clone", "fast", ""]),
        "path": _PATHS,
        "content": st.sampled_from(
            ["", "x", "*", AFS.format("1.0.0"), AFS.format("2.0.0"), "id: other\ndescription: y\n"]
        ),
        "encoding": st.sampled_from(["", "utf-8", "base64", "latin-1"]),
    },
)
_CODES = {
    400: {
        "InvalidFormationID",
        "InvalidJSON",
        "InvalidAction",
        "InvalidMode",
        "InvalidPath",
        "DecodeError",
        "ParseError",
    },
    404: {"DraftNotFound", "LiveNotFound", "FileNotFound"},
    409: {"DraftAlreadyExists", "DeployConflict"},
    500: {"ReadError", "WriteError", "CreateError", "CopyError", "DeleteError"},
}


@given(st.lists(_DRAFTS, max_size=8), st.booleans())
def test_whatever_is_done_to_a_draft_is_answered_by_the_rules(bodies: list[dict[str, str]], live: bool) -> None:
    desk = Desk()
    if live:
        desk.deploy()
    for body in bodies:
        before = desk.server.workspaces.get("my-bot")
        answer = desk.draft(body)
        found = answer.json
        if "draft" not in found:  # a deployment that came to the deployment proper
            assert body["action"] == "deploy"
            assert before is not None
            assert (answer.status in (200, 201)) is (found.get("success") is True)
            assert found.get("code", answer.status) == answer.status
            continue
        assert found["draft"]["exists"] is ("my-bot" in desk.server.workspaces)
        assert found["live"].keys() <= {"version", "status"}
        if found["success"]:
            assert answer.status == 200
            assert found.keys() == {"success", "data", "draft", "live"}
        else:
            assert found["error"] in _CODES[answer.status]
            assert found["message"]
            assert (found["error"] == "DraftNotFound") <= (before is None)


_ROUTES = [
    ("GET", "/rpc/formations"),
    ("GET", BOT),
    ("DELETE", BOT),
    ("GET", f"{BOT}/logs"),
    ("GET", f"{BOT}/download"),
    *(("POST", f"{BOT}/{name}") for name in ("start", "stop", "restart", "rollback", "cancel-update")),
    ("GET", "/rpc/server/status"),
    ("GET", "/api/my-bot/v1/health"),
    ("POST", "/rpc/formations"),
    ("PUT", BOT),
]


def _acts() -> st.SearchStrategy[tuple[str, str, bool, str]]:
    routes = st.sampled_from(_ROUTES)
    return st.tuples(routes, st.booleans(), st.sampled_from(["1.0.0", "2.0.0"])).map(
        lambda drawn: (*drawn[0], drawn[1], drawn[2])
    )


@given(st.lists(_acts(), max_size=10))
def test_whatever_is_asked_of_a_server_is_answered_in_its_shape(acts: list[tuple[str, str, bool, str]]) -> None:
    desk = Desk()
    for method, path, streamed, version in acts:
        accept: dict[str, Any] = {"Accept": "text/event-stream"} if streamed else {}
        if method in ("POST", "PUT") and path in ("/rpc/formations", BOT):
            answer = desk.deploy(version, **accept) if method == "POST" else desk.update(version, **accept)
        else:
            answer = desk.send(method, path, **accept)
        assert answer.headers["access-control-allow-origin"] == "*"
        if answer.headers.get("content-type") == "text/event-stream":
            names = [event for event, _ in frames(answer.text)]
            assert names[-1] in ("complete", "error")
            assert set(names[:-1]) <= {"progress"}
        elif answer.headers["content-type"] == "application/json":
            _check_shape(path, answer)


def _check_shape(path: str, answer: Answered) -> None:
    found = answer.json
    if answer.status >= 400:
        assert found.keys() == {"error", "message", "code"}
        assert found["code"] == answer.status
        assert answer.text.startswith('{"error": ' if path.startswith("/api") else '{"error":')
    elif not path.startswith("/api") and not path.endswith("cancel-update"):
        assert found.keys() == {"success", "data"}
        assert answer.text.endswith("\n")
