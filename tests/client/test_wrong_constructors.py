"""Plugins, transports, in-memory worlds and helpers refuse what they cannot take, by name, before anything happens."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient, MuxiError, registry
from muxi_transports.memory import EmbeddedFormation
from tests.client.test_wrong_arguments import BUNDLE, STRANGE

#: Modules whose public names are tried.
MODULES = (
    "muxi.plugins",
    "muxi.batch",
    "muxi.bundles",
    "muxi.registry",
    "muxi.schemas",
    "muxi.transport",
    "muxi.webhook",
    "muxi_transports.requests",
    "muxi_transports.urllib3",
    "muxi_transports.aiohttp",
    "muxi_transports.asgi",
    "muxi_transports.failover",
    "muxi_transports.faulty",
    "muxi_transports.memory",
    "muxi_transports.recorded",
    "muxi_transports.routing",
    "muxi_transports.wsgi",
)

#: Public names that users do not call with values of their own, each with the reason.
LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(("Batch", "AsyncBatch"), "made by batch.run(), which checks"),
    **dict.fromkeys(
        (
            *("BatchProgress", "BatchResult", "BundlePlan", "Identity", "LeftOut", "PlannedFile", "Prepared"),
            *("Clarification", "ClarificationRequest", "Completion", "ContentItem", "ErrorDetails", "EscalationEnd"),
            *("Notification", "WebhookEvent", "AddressStatus", "Struck", "Chunk", "Exchange", "RecordedRequest"),
            *(
                "RecordedResponse",
                "RecordedError",
                "Delivery",
                "Incident",
                "Incidents",
                "SentRequest",
                "Served",
                "Stub",
                "Turn",
            ),
        ),
        "a value that the SDK hands out",
    ),
    **dict.fromkeys(("Failover", "Faulty", "Recorded", "Routing", "WorldTransport", "Stubbing"), "a base class"),
    **dict.fromkeys(("Defect", "ServerDefect", "World", "Guard", "Fault"), "an enumeration, or a protocol"),
    **dict.fromkeys(("Answer", "Idle", "Pause"), "what in-memory worlds are made of"),
    **dict.fromkeys(
        ("parse", "receive", "sign", "verify_signature", "canonical"), "tests/webhook/test_signature.py tries them"
    ),
    **dict.fromkeys(
        ("AsyncResponse", "AsyncTransport", "Body", "Response", "SteppedTransport", "Transport"), "a base class"
    ),
    **dict.fromkeys(
        (
            *("AsyncSteppedTransport", "BlockingCall", "Close", "Forward", "NextChunk", "ReadBody", "Step", "Stepped"),
            *("SteppedResponse", "iterate", "iterate_async", "replayed", "replayed_async", "run", "run_async"),
        ),
        "what transports are made of",
    ),
    **dict.fromkeys(("Request", "Timeouts"), "the SDK makes them for transports"),
    **dict.fromkeys(("TransportPair", "TransportRegistry"), "register_transport() makes them"),
    "JsonFormatter": "it has the arguments of logging.Formatter",
}


def _wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    return None


def _key() -> str:
    return "key"


def public() -> dict[str, Callable[..., Any]]:
    """Everything that can be called, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for module in MODULES:
        room = import_module(module)
        for name in room.__all__:
            thing = getattr(room, name)
            is_error = inspect.isclass(thing) and issubclass(thing, BaseException)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and not is_error and name not in LEFT_OUT:
                found[f"{module}.{name}"] = thing
    return found


PUBLIC = public()

#: Arguments that have no default, by their name or by that of what takes them.
NEEDED: Mapping[str, Any] = {
    "path": "file",
    "calls": [],
    "client": FormationClient,
    "source": FormationClient,
    "world": EmbeddedFormation(),
    "token": "t",
    "function": _key,
    "limit": 1,
    "rate": 1.0,
    "redact": str,
    "addresses": ["http://one.example", "http://two.example"],
    "cassette": "cassette.yaml",
    "rules": {"/v1/": "memory"},
    "app": _asgi,
    "payload": b"{}",
    "signature_header": "t=1,v1=00",
    "secret": "s",
    "timestamp": 1,
    "per_second": 10.0,
    "seconds": 1.0,
    "content": "content",
    "id": "one",
    "plan": "a plan",
    "text": "text",
    "reply": "reply",
    "message": "message",
    "filename": "file.txt",
    "question": "why?",
    "name": "name",
    "widgets": (),
    "status": 200,
}
OF: Mapping[str, Mapping[str, Any]] = {
    "muxi.registry.interpose": {"function": lambda transport: transport},
    "muxi.transport.BytesBody": {"content": b""},
    "muxi.transport.IterableBody": {"source": list},
    "muxi.transport.as_body": {"source": b""},
    "muxi_transports.wsgi.WsgiTransport": {"app": _wsgi},
    "muxi.bundles.prepare": {"bundle": BUNDLE},
    "muxi.bundles.plan": {"folder": "folder"},
    "muxi.bundles.pack": {"folder": "folder", "to": io.BytesIO()},
}


def parameters(thing: Callable[..., Any]) -> list[inspect.Parameter]:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [item for item in inspect.signature(thing).parameters.values() if item.kind not in variadic]


def mistakes(name: str) -> Iterator[str]:
    """Return everything that comes of one wrong argument, except errors that name it."""
    thing = PUBLIC[name]
    found = parameters(thing)
    base = {item.name: NEEDED.get(item.name) for item in found if item.default is item.empty}
    base.update(OF.get(name, {}))
    for item in found:
        for what, value in STRANGE.items():
            try:
                thing(**{**base, item.name: value})
            except MuxiError as error:
                # One of the right type with a wrong value need not be named.
                said = (item.name, *SAID.get(item.name, ()))
                if not fits(value, str(item.annotation)) and not any(name in str(error) for name in said):
                    yield f"{item.name}={what} is refused with {error!s:.200}"
            except Exception as error:
                if callable(value) and fits(value, str(item.annotation)):
                    continue  # the function itself has raised it
                yield f"{item.name}={what} raises {type(error).__name__}: {error!s:.200}"
            else:
                # What is no call among the calls of a batch is a result of its own (tests/batch/test_batches.py).
                is_of_calls = item.name == "calls" and isinstance(value, list | tuple | set | dict)
                is_of_headers = item.name in ("items", "headers") and value == ""  # no pairs at all
                if not is_of_calls and not is_of_headers and not fits(value, str(item.annotation)):
                    yield f"{item.name}={what} is taken, though it is to be {item.annotation}"


#: How errors call arguments, beside their names.
SAID: Mapping[str, tuple[str, ...]] = {
    "source": ("a batch takes",),
    "client": ("a batch takes",),
    "default": ("transport=",),
    "rules": ("transport=", "a routing transport"),
    "addresses": ("transport=", "origin", "address"),
    "calls": ("a call",),
    "items": ("headers are", "header"),
    "headers": ("headers are", "header"),
}

#: Types of functions.
CALLED = (
    "Callable",
    "Choice",
    "Factory",
    "Interposed",
    "App",
    "Secret",
    "Redact",
    "Transcribe",
    "Progress",
    "ClientSource",
    "Match",
)


KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "bytes": (bytes,),
    "None": (type(None),),
    "object": (object,),
    "Any": (object,),
    # Names of types that stand for several.
    "Verify": (bool, str),
    "Payload": (str, bytes, dict),
    "Reply": (str, dict, list, tuple),
    "Line": (object,),
    "Block": (dict,),
    "ReplyScript": (dict,),
    "Secret": (str,),
    "Cert": (str, tuple),
    "SourceAddress": (str,),
    "BundleSource": (str, bytes),
}


def fits(value: object, annotation: str) -> bool:
    """Return whether a value is one of those that an annotation names."""
    parts = [part.strip() for part in annotation.split("|")]
    if type(value) is dict and any(word in annotation for word in ("Mapping[str, object]", "dict[str, object]")):
        return all(isinstance(name, str) for name in value)
    if type(value) is dict and "Collection[str]" in annotation:
        return all(isinstance(name, str) for name in value)
    if any(type(value) in KINDS.get(part, ()) or KINDS.get(part) == (object,) for part in parts):
        return True
    if type(value) in (tuple, set) and "Collection[int]" in annotation:
        return True
    return callable(value) and any(word in annotation for word in CALLED)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_wrong_argument_of_a_constructor_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_interposed", [])
    Path("file").touch()
    Path("folder").mkdir()
    Path("folder", "formation.afs").write_text("id: my-bot\ndescription: a bot\nversion: 1.0.0\n")
    assert list(mistakes(name)) == []
