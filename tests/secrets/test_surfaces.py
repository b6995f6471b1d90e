"""No key appears on any surface of any transport: spans, metrics, logs, recordings, warnings, objects, the terminal."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import logging
import pickle
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from muxi import MuxiError, hookimpl
from muxi.cli import main as run_command
from muxi.plugins import AuditTrail, JsonFormatter, Prometheus
from muxi.testing.transport_suite import Received, Reply
from tests.plugins.tracing.telemetry import Telemetry
from tests.secrets.carriers import AROUND, IN_PROCESS, WIRE, Carrier, Receiver, carrier
from tests.secrets.marks import KEYS, VALUES, leaks, surfaces_of, surfaces_of_object, surfaces_of_records
from tests.secrets.scenarios import FAILURES, Scenario, memories, says
from tests.transports.raw_server import Peer

ANYWHERE = [name for name, scenario in FAILURES.items() if scenario.anywhere]
CASES: list[Any] = [(name, scenario) for name in IN_PROCESS for scenario in ANYWHERE]
# Those around others in each colour by turns.
CASES += [
    pytest.param(name, scenario, marks=pytest.mark.slow if (at + name.endswith("async")) % 2 else ())
    for name in AROUND
    for at, scenario in enumerate(FAILURES)
]


class Surfaces:
    """Everything that watches a call: plugins, loggers, warnings; and the texts that they give."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.telemetry = Telemetry()
        self.registry = CollectorRegistry()
        self.log = io.StringIO()
        self.records: list[logging.LogRecord] = []
        self.warned: list[warnings.WarningMessage] = []

    @property
    def plugins(self) -> list[object]:
        """The plugins that report a call."""
        tracing = self.telemetry.tracing(capture_content=True)
        return [AuditTrail(self.folder / "audit"), tracing, Prometheus(self.registry)]

    def texts(self) -> Iterator[tuple[str, str]]:
        """The names and texts of all."""
        for span in self.telemetry.spans:
            yield f"span {span.name}", span.to_json()
        yield "metrics", repr(self.telemetry.metrics)
        yield "prometheus", generate_latest(self.registry).decode()
        yield "JSON log", self.log.getvalue()
        yield from surfaces_of_records(self.records)
        for warned in self.warned:
            yield "warning", str(warned.message)
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield f"file {path.name}", path.read_bytes().decode("utf-8", "replace")


@pytest.fixture
def surfaces(tmp_path: Path) -> Iterator[Surfaces]:
    """Watch the SDK's loggers at DEBUG, as records and as lines of JSON, and all warnings."""
    found = Surfaces(tmp_path)

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.records.append(record)

    lines = logging.StreamHandler(found.log)
    lines.setFormatter(JsonFormatter())
    logger = logging.getLogger("muxi")
    level = logger.level
    handlers = [Keep(), lines]
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    with warnings.catch_warnings(record=True) as found.warned:
        warnings.simplefilter("always")
        yield found
    for handler in handlers:
        logger.removeHandler(handler)
    logger.setLevel(level)
    found.telemetry.close()


def error_of(found: Carrier, kind: str, settings: dict[str, Any], work: Any) -> BaseException:
    try:
        result = found.run(kind, {"validate_responses": "strict", **settings}, work)
    except MuxiError as error:
        return error
    raise AssertionError(f"the call did not fail: {result!r}")


def objects_of(found: Carrier) -> Iterator[tuple[str, str]]:
    """The texts of a transport, and of what its attributes hold."""
    todo: list[tuple[str, Any, int]] = [("transport", found.transport, 0)]
    while todo:
        name, value, depth = todo.pop()
        yield from surfaces_of_object(name, value)
        if depth < 3:
            todo += [(f"{name}.{at}", held, depth + 1) for at, held in getattr(value, "__dict__", {}).items()]


@pytest.mark.parametrize(("name", "scenario"), CASES)
def test_a_key_stays_hidden_within_the_process_and_behind_other_transports(
    name: str, scenario: str, surfaces: Surfaces
) -> None:
    receiver, work, _ = FAILURES[scenario]
    # Each shape in turn, so that every transport meets all of them.
    key = list(KEYS.values())[(list(FAILURES).index(scenario) + len(name)) % len(KEYS)]
    with carrier(name, receiver(key), surfaces.folder) as found:
        error = error_of(found, "formation", {"client_key": key, "plugins": surfaces.plugins}, work)
        assert leaks(key, objects_of(found)) == []
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces.texts()) == []


@pytest.mark.parametrize("scenario", ["401 that repeats the key", "a refused stream", "a result of another type"])
@pytest.mark.parametrize("name", WIRE)
def test_spans_metrics_and_logs_show_no_key_over_a_network(name: str, scenario: str, surfaces: Surfaces) -> None:
    receiver, work, _ = FAILURES[scenario]
    for key in list(KEYS.values())[len(name) % 2 :: 2]:
        with carrier(name, receiver(key), surfaces.folder) as found:
            error = error_of(found, "formation", {"client_key": key, "plugins": surfaces.plugins}, work)
            assert leaks(key, objects_of(found)) == []
        assert leaks(key, surfaces_of(error)) == []
        assert leaks(key, surfaces.texts()) == []


OK = json.dumps({"success": True, "data": {"memories": [], "count": 0, "pagination": {}}}).encode()


def answers(content: bytes) -> Receiver:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.answer(content, "200 OK", "Content-Type: application/json")

    return Receiver(serve, Reply(headers=[("Content-Type", "application/json")], body=content))


@pytest.mark.parametrize("name", [*WIRE, *AROUND, *IN_PROCESS])
def test_a_call_that_succeeds_shows_neither_its_key_nor_the_secret_it_carries(name: str, surfaces: Surfaces) -> None:
    key, value = KEYS["quotes"], VALUES["lines"]
    settings = {"admin_key": key, "client_key": key, "plugins": surfaces.plugins, "debug": True}
    settings["validate_responses"] = "off"

    def work(client: Any) -> Any:
        assert leaks(key, surfaces_of_object("client", client)) == []
        return client.create_secret("NAME", value)

    with carrier(name, answers(OK), surfaces.folder) as found:
        found.run("formation", settings, work)
        for secret in (key, value):
            assert leaks(secret, objects_of(found)) == []
    for secret in (key, value):
        assert leaks(secret, surfaces.texts()) == []


@pytest.mark.parametrize("name", [name for name in IN_PROCESS if not name.startswith("memory")])
def test_an_application_that_raises_shows_no_key(name: str, surfaces: Surfaces) -> None:
    key = KEYS["platform"]

    def handle(received: Received) -> Reply:
        headers = {header.lower(): text for header, text in received.headers}
        raise LookupError(f"no such key: {headers['x-muxi-client-key']}")

    receiver = Receiver(lambda peer: None)
    receiver.handle = handle  # type: ignore[method-assign]  # it fails in place of an answer
    with carrier(name, receiver, surfaces.folder) as found:
        settings = {"client_key": key, "plugins": surfaces.plugins}
        error = error_of(found, "formation", settings, memories)
        assert leaks(key, objects_of(found)) == []
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces.texts()) == []


@pytest.mark.parametrize("name", ["wsgi", "wsgi, same thread", "asgi", "asgi, sync"])
def test_frames_of_an_application_keep_their_lines_and_no_request(name: str, tmp_path: Path) -> None:
    key = KEYS["platform"]

    def handle(received: Received) -> Reply:
        raise LookupError("nothing there")

    receiver = Receiver(lambda peer: None)
    receiver.handle = handle  # type: ignore[method-assign]  # it fails in place of an answer
    with carrier(name, receiver, tmp_path) as found:
        error = error_of(found, "formation", {"client_key": key}, memories)
    cause = error.__cause__
    assert isinstance(cause, LookupError)
    traceback, functions = cause.__traceback__, []
    while traceback is not None:
        functions.append(traceback.tb_frame.f_code.co_name)
        assert key not in repr(traceback.tb_frame.f_locals), functions[-1]
        traceback = traceback.tb_next
    assert functions[-1] == "handle"


@pytest.mark.parametrize("name", WIRE)
def test_loggers_of_other_libraries_show_no_key_at_any_level(name: str, surfaces: Surfaces) -> None:
    key = KEYS["platform"]
    import urllib3.connectionpool  # noqa: F401  its logger is there from now on

    root = logging.getLogger()
    # Not that of the tests' own server, which gets the request.
    others = [logging.getLogger(known) for known in logging.root.manager.loggerDict if not known.startswith("muxi")]
    levels = [(logger, logger.level) for logger in (root, *others)]

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            surfaces.records.append(record)

    handler = Keep()
    root.addHandler(handler)
    try:
        for logger, _ in levels:
            logger.setLevel(1)
        for scenario in ("401 that repeats the key", "a reset", "a length that is none", "a redirect that is none"):
            receiver, work, _ = FAILURES[scenario]
            with carrier(name, receiver(key), surfaces.folder) as found:
                error = error_of(found, "formation", {"client_key": key}, work)
            assert leaks(key, surfaces_of(error)) == []
    finally:
        root.removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)
    assert surfaces.records
    assert leaks(key, surfaces.texts()) == []


@pytest.mark.parametrize("name", WIRE)
def test_a_transport_shows_no_password_of_its_proxy(name: str, surfaces: Surfaces) -> None:
    password = "LEAKMARK-proxy-password"
    receiver = Receiver(lambda peer: peer.close())
    with carrier(name, receiver, surfaces.folder) as proxy:
        url = proxy.url.replace("http://", f"http://user:{password}@")
        made = WIRE[name](proxies={"all": url})
        found = Carrier(name, made, "http://formation.example")
        error = error_of(found, "formation", {"client_key": "other", "plugins": surfaces.plugins}, memories)
        if name != "requests, own session":  # what is in a session of the caller's is the caller's
            assert leaks(password, objects_of(found)) == []
    assert leaks(password, surfaces_of(error)) == []
    assert leaks(password, surfaces.texts()) == []


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("name", [name for name in WIRE if name != "requests, own session"])
def test_a_transport_in_use_shows_no_credentials_of_proxy_and_address(
    name: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine formation.example login user password LEAKMARK-address\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    receiver = Receiver(lambda peer: peer.close())
    with carrier(name, receiver, tmp_path) as proxy:
        address = proxy.url.removeprefix("http://")
        made = WIRE[name](proxies={"all": f"{scheme}://user:LEAKMARK-proxy@{address}"})
        found = Carrier(name, made, "http://formation.example")

        async def look_later(client: Any) -> list[tuple[str, str]]:
            with pytest.raises(MuxiError):
                await client.get_memories("ada")
            return list(objects_of(found))

        def look(client: Any) -> Any:
            if found.asynchronous:
                return look_later(client)
            with pytest.raises(MuxiError):
                client.get_memories("ada")
            return list(objects_of(found))

        shown = found.run("formation", {"client_key": "other"}, look)
    assert shown
    for secret in ("LEAKMARK-proxy", "user:LEAKMARK-proxy", "LEAKMARK-address", "user:LEAKMARK-address"):
        assert leaks(secret, iter(shown)) == []


@pytest.mark.parametrize("kind", ["formation", "server"])
@pytest.mark.parametrize("shape", KEYS)
def test_clients_and_configurations_give_no_key_away(kind: str, shape: str) -> None:
    from muxi import FormationClient, FormationConfig, ServerClient, ServerConfig

    key = KEYS[shape]
    config: Any
    if kind == "formation":
        config = FormationConfig(url="http://localhost", client_key=key, admin_key=key, headers={"X-Api-Key": key})
        client: Any = FormationClient(config)
    else:
        config = ServerConfig(url="http://localhost", key_id="id", secret_key=key, headers={"X-Api-Key": key})
        client = ServerClient(config)
    for made in (config, copy.copy(config), client, client.with_options(timeout=1), client.with_raw_response):
        assert leaks(key, iter([("repr", repr(made)), ("str", str(made)), ("format", f"{made}")])) == []
        with pytest.raises(TypeError) as caught:
            pickle.dumps(made)
        assert leaks(key, surfaces_of_type_error(caught.value)) == []


def surfaces_of_type_error(error: BaseException) -> Iterator[tuple[str, str]]:
    yield "str", str(error)
    yield "repr", repr(error)


@pytest.mark.parametrize("name", ["recorded", "recorded, async"])
@pytest.mark.parametrize("shape", KEYS)
def test_a_cassette_that_is_played_shows_no_key_either(name: str, shape: str, surfaces: Surfaces) -> None:
    key = KEYS[shape]
    scenario: Scenario = FAILURES["401 that repeats the key"]
    with carrier(name, scenario.receiver(key), surfaces.folder) as found:
        error_of(found, "formation", {"client_key": key}, memories)
    played = type(found.transport)(surfaces.folder / "cassette.yaml", mode="none")  # type: ignore[call-arg]  # recorded
    error = error_of(
        Carrier(name, played, found.url), "formation", {"client_key": key, "plugins": surfaces.plugins}, memories
    )
    assert leaks(key, surfaces_of(error)) == []
    assert leaks(key, surfaces.texts()) == []
    missing = error_of(
        Carrier(name, played, found.url), "formation", {"client_key": key}, lambda client: client.get_memories("bob")
    )
    assert type(missing).__name__ == "UnrecordedRequest"
    assert leaks(key, surfaces_of(missing)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--key-id", "x", "--secret-key", "KEY"],
        ["serve", "--secret-key", "KEY"],
        ["serve", "--client-key", "KEY", "--port", "nonsense"],
        ["serve", "--client-key", "KEY", "--script", "not-there.yaml"],
        ["serve", "--client-key", "KEY", "--host", "256.0.0.1"],
        ["demo"],
    ],
)
def test_the_command_line_prints_no_key(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = KEYS["platform"]
    with carrier("urllib3", says("401 Unauthorized", lambda text: text.encode())(key), Path()) as found:
        monkeypatch.setenv("MUXI_FORMATION_URL", found.url)
        monkeypatch.setenv("MUXI_CLIENT_KEY", key)
        with contextlib.suppress(SystemExit):
            assert run_command([argument.replace("KEY", key) for argument in arguments]) != 0
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert leaks(key, iter([("stdout", printed.out), ("stderr", printed.err)])) == []


@pytest.mark.parametrize("name", ["urllib3", "aiohttp", "wsgi", "memory, async"])
def test_the_log_of_a_plugin_that_fails_shows_no_key(name: str, surfaces: Surfaces) -> None:
    key = KEYS["platform"]

    class Watcher:
        name = "watcher"

        @hookimpl
        def muxi_attempt_failed(self, error: Any, context: Any) -> None:
            raise LookupError(f"cannot note {context.request.headers['X-Muxi-Client-Key']}")

        @hookimpl
        def muxi_response_received(self, response: Any, context: Any) -> None:
            raise ValueError(context.request.headers["X-Muxi-Client-Key"])

    with carrier(name, FAILURES["401 that repeats the key"].receiver(key), surfaces.folder) as found:
        error = error_of(found, "formation", {"client_key": key, "plugins": [Watcher()]}, memories)
    assert leaks(key, surfaces_of(error)) == []
    failed = [record for record in surfaces.records if "the plugin" in record.getMessage()]
    assert len(failed) == 2
    assert leaks(key, iter([("log", logging.Formatter().format(record)) for record in failed])) == []


@pytest.mark.parametrize("name", ["wsgi", "wsgi, same thread", "asgi", "asgi, sync"])
def test_an_application_that_fails_after_its_answer_logs_no_key(name: str, surfaces: Surfaces) -> None:
    key = KEYS["platform"]
    ended = threading.Event()

    def handle(received: Received) -> Reply:
        said = {header.lower(): text for header, text in received.headers}["x-muxi-client-key"]

        def body() -> Iterator[bytes]:
            try:
                yield OK
                yield OK
            finally:
                ended.set()
                raise LookupError(f"the reader of {said} has left")

        return Reply(headers=[("Content-Type", "application/json"), ("Content-Length", str(len(OK)))], body=body())

    receiver = Receiver(lambda peer: None)
    receiver.handle = handle  # type: ignore[method-assign]  # it fails after its answer
    with carrier(name, receiver, surfaces.folder) as found, contextlib.suppress(Exception):
        found.run("formation", {"client_key": key}, memories)
    assert ended.wait(10)
    assert leaks(key, surfaces.texts()) == []


@pytest.mark.parametrize("name", [*WIRE, *IN_PROCESS])
def test_an_answer_of_another_type_is_logged_without_the_key_that_it_repeats(name: str, surfaces: Surfaces) -> None:
    key = KEYS["quotes"]
    with carrier(name, FAILURES["a result of another type"].receiver(key), surfaces.folder) as found:
        found.run("formation", {"client_key": key, "validate_responses": "warn"}, memories)
    assert any("documented form" in record.getMessage() for record in surfaces.records)
    assert leaks(key, surfaces.texts()) == []


def test_a_recording_of_content_that_is_no_text_has_no_key(tmp_path: Path) -> None:
    key = KEYS["platform"]

    def serve(peer: Peer) -> None:
        peer.request()
        peer.answer(b"\xff\xfe " + key.encode() + b" \xff", "500 No", "Content-Type: application/octet-stream")

    with carrier("recorded", Receiver(serve), tmp_path) as found:
        error_of(found, "formation", {"client_key": key}, memories)
    document = yaml.safe_load((tmp_path / "cassette.yaml").read_text())
    assert key.encode() not in base64_parts(document)


def base64_parts(value: Any) -> bytes:
    """All texts of a document, decoded where they are base64."""
    if isinstance(value, dict):
        return b"\n".join(base64_parts(item) for item in value.values())
    if isinstance(value, list):
        return b"\n".join(base64_parts(item) for item in value)
    if isinstance(value, bytes):
        return value
    text = str(value)
    with contextlib.suppress(ValueError):
        return base64.b64decode(text, validate=True) + text.encode()
    return text.encode()
