"""Deployments told step by step: events, results, and every way in which one can end."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from muxi import ServerClient
from muxi.errors import (
    ConflictError,
    MuxiError,
    NotFoundError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    ValidationError,
)
from muxi.streaming.chat import reader_for
from muxi.streaming.deployments import DEPLOYMENT, FORMATION_LOG, DeploymentReader, deployment_error
from muxi.streaming.streams import EventStream
from muxi.transport import Request
from muxi.types import DeploymentEvent, DeploymentResult
from tests.server.bench import Bench, Reply, Script, ScriptedTransport, events, no

COMPLETE = {
    "formation_id": "my-bot",
    "port": 18201,
    "status": "running",
    "url": "http://localhost:7890/api/my-bot",
    "health_url": "http://localhost:18201/v1/health",
    "pid": 20811,
}
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("progress", {"stage": "extracting", "message": "Extracting bundle..."}),
    ("progress", {"stage": "resolving_runtime", "message": "Resolved runtime version", "version": "0.20260514.0"}),
    (
        "progress",
        {"stage": "health_check", "message": "Health check attempt 1/30...", "attempt": 1, "max_attempts": 30},
    ),
]
GOOD = [*STEPS, ("complete", COMPLETE)]
BOT = "/rpc/formations/my-bot"

#: The streaming methods, their arguments, and what they send.
METHODS: list[tuple[str, dict[str, Any], str]] = [
    ("deploy_formation_stream", {"bundle_path": "bundle"}, "POST /rpc/formations"),
    ("update_formation_stream", {"formation_id": "my-bot", "bundle_path": "bundle"}, f"PUT {BOT}"),
    ("start_formation_stream", {"formation_id": "my-bot"}, f"POST {BOT}/start"),
    ("restart_formation_stream", {"formation_id": "my-bot"}, f"POST {BOT}/restart"),
    ("rollback_formation_stream", {"formation_id": "my-bot"}, f"POST {BOT}/rollback"),
    ("deploy_draft_stream", {"formation_id": "my-bot"}, f"POST {BOT}/draft/files"),
]


@pytest.mark.parametrize(("method", "arguments", "sends"), METHODS, ids=lambda it: it if isinstance(it, str) else "")
def test_every_form_tells_its_steps(
    bench: Bench, bundle: Path, method: str, arguments: dict[str, Any], sends: str
) -> None:
    given = {name: bundle if value == "bundle" else value for name, value in arguments.items()}
    script = Script(events(*GOOD))
    steps = bench.run(script, method, **given)
    assert script.sent == sends
    assert script.header("accept") == "text/event-stream"
    assert script.header("authorization")
    assert [step["type"] for step in steps] == ["progress"] * 3 + ["complete"]
    assert steps[2] == {
        **STEPS[2][1],
        "type": "progress",
        "event": "progress",
        "data": json.dumps(STEPS[2][1]),
    }
    if "bundle_path" in arguments:
        assert script.bodies == [bundle.read_bytes()]
        assert script.header("content-type") == "application/gzip"
        assert script.header("x-formation-version") == "1.2.0"
    elif method == "deploy_draft_stream":
        assert script.body == {"action": "deploy"}
    assert bench.result(Script(events(*GOOD)), method, **given) == COMPLETE


def test_a_stream_has_no_time_limit_but_one_on_silence(bench: Bench) -> None:
    script = Script(events(*GOOD))
    bench.run(script, "start_formation_stream", "my-bot")
    times = script.requests[0].timeouts
    assert (times.total, times.read) == (None, 600.0)


def test_the_way_the_bytes_are_cut_makes_no_difference() -> None:
    body = b"".join(events(*GOOD).pieces)
    for size in (1, 2, 7, len(body)):
        reader = DeploymentReader()
        for at in range(0, len(body), size):
            reader.feed(body[at : at + size])
        reader.end()
        assert reader.result() == COMPLETE
        assert [event["type"] for event in reader.ready] == ["progress"] * 3 + ["complete"]


def test_nothing_counts_after_the_end() -> None:
    reader = DeploymentReader()
    reader.feed(b"".join(events(*GOOD, ("error", {"error": "X", "message": "late"})).pieces))
    assert reader.finished
    assert reader.failure is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("HealthCheckFailed", ServerError),
        ("SpawnError", ServerError),
        ("DownloadError", ServerError),
        ("SomethingNew", ServerError),
        ("NotFound", NotFoundError),
        ("AlreadyRunning", ConflictError),
        ("NoChange", ConflictError),
        ("ExtractError", ValidationError),
        ("SecretsError", ValidationError),
        ("NoPreviousVersion", ValidationError),
    ],
)
def test_an_error_is_raised_with_its_code_and_stage(bench: Bench, code: str, kind: type[MuxiError]) -> None:
    failed = ("error", {"error": code, "message": "It failed", "stage": "health_check"})
    for act in (bench.run, bench.result):
        with pytest.raises(kind) as caught:
            act(Script(events(*STEPS, failed)), "start_formation_stream", "my-bot")
        error = caught.value
        assert type(error) is kind
        assert (error.code, error.stage, error.from_platform) == (code, "health_check", True)
        assert "It failed (in the stage 'health_check')" in str(error)
        assert "start_formation_stream" in str(error)
        assert error.partial["attempt"] == 1
        assert pickle.loads(pickle.dumps(error)).stage == "health_check"  # noqa: S301  our own


def test_the_steps_before_an_error_are_handed_out() -> None:
    script = Script(events(*STEPS, ("error", {"error": "SpawnError", "message": "no", "stage": "spawning"})))
    client = ServerClient(url="http://x", key_id="a", secret_key="b", transport=ScriptedTransport(script))
    stream = client.start_formation_stream("my-bot")
    assert [next(stream)["stage"] for _ in STEPS] == ["extracting", "resolving_runtime", "health_check"]
    with pytest.raises(ServerError):
        next(stream)
    assert stream.closed


@pytest.mark.parametrize(
    "payload", [{}, {"message": None}, {"error": 7, "stage": 3}, {"error": "", "details": {"a": 1}}]
)
def test_an_error_that_says_little_is_an_error(payload: dict[str, Any]) -> None:
    error = deployment_error(payload)
    assert (type(error), error.code, error.stage) == (ServerError, "DEPLOYMENT_FAILED", None)
    assert error.details == payload.get("details", {})


def test_an_error_that_is_no_json_is_an_error(bench: Bench) -> None:
    reply = Reply(b"event: error\ndata: out of luck\n\n", content_type="text/event-stream")
    with pytest.raises(ServerError, match="out of luck"):
        bench.run(Script(reply), "start_formation_stream", "my-bot")


@pytest.mark.parametrize("steps", [[], STEPS[:1], STEPS])
def test_a_stream_that_ends_too_soon_is_interrupted(bench: Bench, steps: list[Any]) -> None:
    for act in (bench.run, bench.result):
        with pytest.raises(StreamInterrupted, match=r"ask get_formation\(\)") as caught:
            act(Script(events(*steps)), "deploy_draft_stream", "my-bot")
        assert caught.value.stage == (steps[-1][1]["stage"] if steps else None)


def test_a_connection_that_breaks_is_interrupted_too(bench: Bench) -> None:
    cut = Reply(b"".join(events(*GOOD).pieces)[:-3], content_type="text/event-stream")
    with pytest.raises(StreamInterrupted):
        bench.run(Script(cut), "start_formation_stream", "my-bot")


def test_a_stream_that_is_closed_has_no_result() -> None:
    transport = ScriptedTransport(Script(events(*GOOD)))
    stream = ServerClient(url="http://x", key_id="a", secret_key="b", transport=transport).start_formation_stream("bot")
    next(stream)
    stream.close()
    with pytest.raises(StreamInterrupted, match="closed before its end"):
        stream.result()


CONFLICT = b'{"success":false,"error":"DeployConflict","message":"busy","draft":{"exists":true},"live":{}}\n'


def test_a_refusal_in_the_guise_of_a_stream_is_recognised(bench: Bench) -> None:
    for pieces in ([CONFLICT], [CONFLICT[:20], CONFLICT[20:]], [b"\n", CONFLICT]):
        with pytest.raises(ConflictError, match="busy") as caught:
            bench.run(Script(Reply(pieces, content_type="text/event-stream")), "deploy_draft_stream", "my-bot")
        assert caught.value.code == "DeployConflict"
        assert caught.value.details["draft"] == {"exists": True}


@pytest.mark.parametrize("body", [b'{"success": true}', b"{not json", b'{"event": 1}\n\n', b"  ", b'{"success":false}'])
def test_other_bare_answers_are_no_success(bench: Bench, body: bytes) -> None:
    with pytest.raises(MuxiError):
        bench.run(Script(Reply(body, content_type="text/event-stream")), "deploy_draft_stream", "my-bot")


def test_a_stream_that_begins_like_json_and_goes_on_is_not_kept_for_ever() -> None:
    reader = DeploymentReader()
    for _ in range(40):
        reader.feed(b"{" + b"x" * 65536 + b"\n")
    reader.feed(b"\n" + b"".join(events(*GOOD).pieces))
    assert reader.finished


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (no(409, "Formation 'my-bot' already exists. Use PUT to update.", "Conflict"), ConflictError),
        (no(404, "Formation not found", "Not Found"), NotFoundError),
        (no(400, "Invalid Content-Type"), ValidationError),
        (no(401, "Invalid signature", "Unauthorized"), MuxiError),
        (Reply({"success": False, "error": "ParseError", "message": "bad"}, 400), ValidationError),
    ],
)
def test_a_refusal_before_the_stream_is_raised_by_the_call_itself(
    bench: Bench, bundle: Path, reply: Reply, kind: type[MuxiError]
) -> None:
    with pytest.raises(kind) as caught:
        bench.use(bench.client(bench.transport(Script(reply))), "deploy_formation_stream", bundle)
    assert caught.value.status_code == reply.status
    assert caught.value.stage is None


def test_opening_is_eager() -> None:
    transport = ScriptedTransport(Script(no(409, "exists", "Conflict")))
    client = ServerClient(url="http://x", key_id="a", secret_key="b", transport=transport)
    with pytest.raises(ConflictError):
        client.start_formation_stream("my-bot")


def test_events_that_are_not_known_yet_are_handed_on(bench: Bench) -> None:
    steps = bench.run(Script(events(("note", {"x": 1}), *GOOD)), "start_formation_stream", "my-bot")
    assert steps[0] == {"x": 1, "type": "note", "event": "note", "data": '{"x": 1}'}


def test_silence_is_bounded() -> None:
    class Silent(ScriptedTransport):
        def send(self, request: Request) -> Any:
            raise TimeoutError("READ_TIMEOUT", "nothing came", bound="read", connected=True)

    client = ServerClient(url="http://x", key_id="a", secret_key="b", transport=Silent(Script()))
    with pytest.raises(TimeoutError, match="idle_timeout"):
        client.start_formation_stream("my-bot")


def test_results_are_typed() -> None:
    def typed(stream: EventStream[DeploymentEvent]) -> DeploymentResult:
        result: DeploymentResult = stream.result()
        return result

    transport = ScriptedTransport(Script(events(*GOOD)))
    client = ServerClient(url="http://x", key_id="a", secret_key="b", transport=transport)
    assert typed(client.start_formation_stream("my-bot"))["port"] == 18201


# -- logs --------------------------------------------------------------------------------------------------------------

FOLLOWED = events(
    ("connected", {"formation_id": "my-bot"}),
    ("log", {"formation_id": "my-bot", "line": "request GET /tick0"}),
)


def test_a_log_is_followed(bench: Bench) -> None:
    script = Script(FOLLOWED)
    found = bench.run(script, "stream_formation_logs", "my-bot", stream="stderr")
    assert script.sent == f"GET {BOT}/logs?follow=true&stream=stderr"
    assert [(event["type"], event.get("line")) for event in found] == [
        ("connected", None),
        ("log", "request GET /tick0"),
    ]
    assert found[1]["data"] == '{"formation_id": "my-bot", "line": "request GET /tick0"}'


def test_a_log_may_be_silent_for_hours_but_must_begin(bench: Bench) -> None:
    script = Script(FOLLOWED)
    bench.run(script, "stream_formation_logs", "my-bot")
    times = script.requests[0].timeouts
    assert (times.total, times.read, times.head) == (None, None, 30.0)


def test_a_log_of_a_formation_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(NotFoundError):
        bench.run(Script(no(404, "Formation not found", "Not Found")), "stream_formation_logs", "my-bot")


def test_a_log_has_no_result() -> None:
    with pytest.raises(TypeError, match="has no result"):
        reader_for(FORMATION_LOG).result()


def test_an_error_of_a_log_is_raised(bench: Bench) -> None:
    with pytest.raises(ServerError, match="gone"):
        bench.run(Script(events(("error", {"message": "gone"}))), "stream_formation_logs", "my-bot")


def test_an_async_stream_is_iterated_with_and_without_await() -> None:
    async def both() -> list[int]:
        counts = []
        for awaited in (False, True):
            client: Any = Bench("async").client(Bench("async").transport(Script(events(*GOOD))))
            stream = client.start_formation_stream("my-bot")
            opened = await stream if awaited else stream
            counts.append(len([event async for event in opened]))
        return counts

    assert asyncio.run(both()) == [4, 4]


def test_readers_are_made_by_name() -> None:
    assert isinstance(reader_for(DEPLOYMENT), DeploymentReader)
