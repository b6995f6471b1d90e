"""From a recorded request to the method that sends it: which one, and with which arguments."""

from __future__ import annotations

import inspect
import json
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.formation.methods import calls, endpoints

#: Arguments of methods that have another name than the field or parameter on the wire.
NAMES = {"trigger_name": "name", "sop_name": "name"}
NAMES_BY_METHOD = {"add_memory": {"type": "mem_type"}, "create_scheduler_job": {"type": "job_type"}}

#: Methods that take the whole body as one argument.
WHOLE = {
    "chat": "payload",
    "chat_stream": "payload",
    "audio_chat": "payload",
    "audio_chat_stream": "payload",
    "create_credential": "payload",
    "ingest_distilled": "batch",
}

#: What the wire takes an absent field for, where the method always sends it.
DEFAULTS = {"chat_stream": {"stream": True}, "audio_chat_stream": {"stream": True}}

#: Where downloads go; below the current folder.
DOWNLOAD = "downloaded"


class Unmappable(Exception):
    """No method sends this; the message says why."""


class Recorded(NamedTuple):
    """One exchange with a formation."""

    name: str
    method: str
    #: Percent-encoded, with the query.
    target: str
    headers: dict[str, str]
    content: str | None
    status: int
    reason: str
    answer_headers: list[tuple[str, str]]
    answer: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def segments(self) -> list[str]:
        return [unquote(part) for part in urlsplit(self.target).path.split("/")[1:]]

    @property
    def body(self) -> Any:
        return None if self.content is None else json.loads(self.content)

    @property
    def user(self) -> str | None:
        return self.headers.get("x-muxi-user-id")

    @property
    def envelope(self) -> dict[str, Any]:
        envelope = json.loads(self.answer)
        assert isinstance(envelope, dict)
        return envelope


class Meant(NamedTuple):
    """A call of a method."""

    method: str
    arguments: dict[str, Any]


@cache
def recordings(wire: Path) -> list[Recorded]:
    return [_recorded(path) for path in sorted((wire / "captures" / "formation").glob("*.json"))]


def _recorded(path: Path) -> Recorded:
    both = json.loads(path.read_text("utf-8"))
    request, response = both["request"], both["response"]
    return Recorded(
        path.stem,
        request["method"],
        request["path"],
        {name.lower(): value for name, value in request["headers"].items()},
        request["body"],
        response["status"],
        response["reason"],
        [(name, value) for name, value in response["headers"]],
        response["body"].encode(),
    )


def meant(recorded: Recorded) -> Meant:
    """The method and the arguments that send a recorded request.

    Raises:
        Unmappable: there are none.
    """
    if not {"x-muxi-client-key", "x-muxi-admin-key"} & recorded.headers.keys() and recorded.segments != [
        "v1",
        "health",
    ]:
        raise Unmappable("no key")
    if (called := recorded.headers.get("content-type", "application/json")) != "application/json":
        raise Unmappable(f"sent as {called}")
    try:
        body = recorded.body
    except ValueError:
        raise Unmappable("not JSON") from None
    if body is not None and not isinstance(body, dict):
        raise Unmappable("not an object")
    name, path_parameters = _method(recorded, body)
    arguments = _arguments(name, {**path_parameters, **_read(name, recorded.query)}, body, recorded)
    try:
        inspect.signature(endpoints()[name]._describe).bind(None, **arguments)
    except TypeError as error:
        raise Unmappable(str(error)) from None
    return Meant(name, arguments)


def method_of(recorded: Recorded) -> str:
    """The method for a recorded request, whether or not it can send it."""
    return _method(recorded, recorded.body)[0]


def _method(recorded: Recorded, body: Mapping[str, Any] | None) -> tuple[str, dict[str, str]]:
    """The method for a route; where templates compete, the one with the most fixed segments."""
    found: list[tuple[int, str, dict[str, str]]] = []
    for name, call in calls().items():
        parts = ["v1", *call.path.split("/")[1:]]
        if call.method != recorded.method or len(parts) != len(recorded.segments):
            continue
        pairs = list(zip(parts, recorded.segments, strict=True))
        if all(part == segment or part.startswith("{") for part, segment in pairs):
            parameters = {part[1:-1]: segment for part, segment in pairs if part.startswith("{")}
            found.append((-len(parameters), name, parameters))
    if not found:
        raise Unmappable(f"no route {recorded.method} {urlsplit(recorded.target).path}")
    best = max(found)[0]
    names = {name: parameters for fixed, name, parameters in found if fixed == best}
    name = _chosen(sorted(names), body or {})
    return name, names[name]


def _chosen(names: list[str], body: Mapping[str, Any]) -> str:
    if len(names) == 1:
        return names[0]
    if "add_memory" in names:
        return "ingest_memory" if body.get("source") and "content" in body else "add_memory"
    streamed = [name for name in names if name.endswith("_stream")]
    return next(name for name in names if (name in streamed) is (body.get("stream") is not False))


def _read(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a query as the values that they stand for."""
    parameters = inspect.signature(endpoints()[name]._describe).parameters
    values: dict[str, Any] = {}
    for key, text in query.items():
        kind = str(parameters[key].annotation) if key in parameters else ""
        values[key] = int(text) if kind.startswith("int") else text == "true" if kind.startswith("bool") else text
    return values


def _arguments(name: str, given: dict[str, Any], body: Any, recorded: Recorded) -> dict[str, Any]:
    arguments = {NAMES.get(key, key): value for key, value in given.items()}
    if name == "clear_audit_log" and arguments.pop("confirm", None) != "clear-audit-log":
        raise Unmappable("without the confirmation that the method gives")
    if name in WHOLE:
        if body is None:
            raise Unmappable("no body")
        arguments[WHOLE[name]] = body
    else:
        renamed = NAMES_BY_METHOD.get(name, {})
        arguments.update({renamed.get(key, key): value for key, value in (body or {}).items()})
    if name == "link_user_identifier":
        arguments.setdefault("muxi_user_id", None)
    if name == "stream_logs":
        arguments = {"filters": arguments}
    if name == "download_artifact":
        arguments["path"] = DOWNLOAD
    if name == "fire_trigger":
        arguments["async_mode"] = arguments.pop("use_async", None)
    if name == "ingest_distilled":
        signature = recorded.headers.get("x-distillery-signature", "")
        arguments["sign"] = lambda message: b64decode(signature)
        arguments["timestamp"] = int(recorded.headers.get("x-distillery-timestamp", "0"))
    if "x-distillery-id" in recorded.headers:
        arguments["distillery_id"] = recorded.headers["x-distillery-id"]
    if calls()[name].user_id is not None:
        if "user_id" in arguments:
            raise Unmappable("with a user where the route does not look for one")
        # An empty user is as good as none, also where a method would look for one itself.
        arguments["user_id"] = recorded.user or ""
    elif recorded.user is not None and name not in USERLESS:
        raise Unmappable("with a user, which the method does not send")
    return arguments


#: Methods of routes that take no notice of the user, and were recorded with one all the same.
USERLESS = frozenset({"get_scheduler_job", "delete_scheduler_job", "pause_scheduler_job", "resume_scheduler_job"})


def same_body(name: str, sent: Any, recorded: Any) -> bool:
    """Whether two bodies mean the same, as far as the method can mean it."""
    if isinstance(sent, dict) and isinstance(recorded, dict):
        recorded = {**DEFAULTS.get(name, {}), **recorded}
        if "request_id" not in recorded and calls()[name].tracked:
            sent = {key: value for key, value in sent.items() if key != "request_id"}
    return bool(sent == recorded)
