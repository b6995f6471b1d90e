"""A small HTTP server that receives webhooks, prints them, and sends them on."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from muxi.cli.output import plain, print_json
from muxi.cli.terminal import answer, say

__all__ = ["describe_event", "receive_webhooks"]

#: The longest body that is received, in bytes.
_MAX_BODY = 16_000_000

#: Headers of one connection, which are not sent on.
_OWN = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})

#: Seconds for the receiver that webhooks are sent on to.
_TIMEOUT = 30.0


def receive_webhooks(host: str, port: int, key: str | None, forward_to: str | None, *, as_json: bool) -> None:
    """Receive webhooks until Ctrl-C.

    Args:
        host: the address.
        port: the port; 0 takes a free one.
        key: the admin key that signatures are verified with; without one they are not.
        forward_to: the address that webhooks are sent on to.
        as_json: whether each is printed as a line of JSON.

    Raises:
        OSError: the address is taken, or there is none like it.
    """
    with _Receiver((host, port), key, forward_to, as_json) as server:
        bound, number = server.server_address[:2]
        place = f"http://{bound if isinstance(bound, str) else bound.decode()}:{number}"
        say(f"Receiving webhooks at {place}/, until Ctrl-C.")
        if key is None:
            say("Signatures are not verified: set MUXI_ADMIN_KEY for that.")
        server.serve_forever()


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], key: str | None, forward_to: str | None, as_json: bool) -> None:
        super().__init__(address, _Handler)
        self.key = key
        self.forward_to = forward_to
        self.as_json = as_json
        #: Held while a webhook is printed, so that the lines of two do not mix.
        self.printing = threading.Lock()

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Print a webhook, send it on, and return the status to answer with."""
        verdict, event = read_webhook(body, headers.get("X-Muxi-Signature"), self.key)
        status, forwarded = (204, "") if self.forward_to is None else forward(self.forward_to, body, headers)
        with self.printing:
            if self.as_json:
                record = {"verdict": verdict, "event": event, "forwarded": forwarded or None}
                print_json(record, indent=None)
            else:
                answer(f"{time.strftime('%H:%M:%S')} {line_of(event)} [{verdict}]{forwarded and f' -> {forwarded}'}")
        return status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:  # the name that the base class looks for
        """Receive one webhook."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _MAX_BODY:
            self.close_connection = True
            self._answer(411 if not length else 413)
            return
        body = self.rfile.read(int(length))
        receiver = cast(_Receiver, self.server)
        self._answer(receiver.take(body, dict(self.headers.items())))

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class has it
        """Print nothing: each webhook has a line of its own."""


def read_webhook(body: bytes, signature: str | None, key: str | None) -> tuple[str, dict[str, Any] | None]:
    """Return the verdict on a webhook, and what it says where it can be read."""
    from muxi.webhook import WebhookVerificationError, parse, receive

    try:
        if key is None:
            return "not verified", describe_event(parse(body))
        return "genuine", describe_event(receive(body, signature, key))
    except WebhookVerificationError as error:
        verdict = f"refused: {error}"
    try:
        return verdict, describe_event(parse(body))
    except WebhookVerificationError:
        return verdict, None


def forward(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Send a webhook on; return the status to answer with, and the word about it."""
    from muxi.errors import MuxiError
    from muxi.registry import TransportRegistry, chosen_transport
    from muxi.transport import BytesBody, Headers, Request, Timeouts

    kept = Headers((name, value) for name, value in headers.items() if name.lower() not in _OWN)
    transport, owned = TransportRegistry().make_sync(chosen_transport(None))
    try:
        found = transport.send(Request("POST", url, kept, BytesBody(body), Timeouts(total=_TIMEOUT)))
        found.read()
    except MuxiError as error:
        say(f"{url} cannot be reached: {error.message}")
        return 502, "unreachable"
    finally:
        if owned:
            transport.close()
    return found.status, str(found.status)


def describe_event(event: Any) -> dict[str, Any]:
    """Return what a webhook says, as JSON has it."""
    described: dict[str, Any] = plain(
        {item.name: _plain_value(getattr(event, item.name)) for item in dataclasses.fields(event)}
    )
    return described


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain_value(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return value


def line_of(event: Mapping[str, Any] | None) -> str:
    """Return the line for a webhook."""
    if event is None:
        return "something that is not a webhook of a formation"
    words = [str(event.get(name)) for name in ("status", "request_id", "formation_id") if event.get(name)]
    text = str(event.get("text") or "")
    first = text.strip().partition("\n")[0]
    return " ".join([*words, first[:60]]).strip() or "webhook"
