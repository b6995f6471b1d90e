"""Rows: answers, their errors, and what plugins do with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from muxi import FormationClient, ManualClock, parse_ui_widgets
from muxi.bundles.identity import check_id
from muxi.errors import error_from_answer
from muxi.exchange.incoming import decode
from muxi.plugins import mask_emails_and_numbers
from muxi.plugins.bodies import format_body
from muxi.plugins.cache import _directives
from muxi.plugins.log import _request_id
from muxi.plugins.tracing.names import redacted_url, server_of
from muxi.plugins.version_notice import is_newer
from muxi.redact import keys_in, mask_forms, redact_data, redact_text, secret_forms
from muxi.schemas import SchemaRegistry, flatten
from muxi.schemas.answer import load_answer
from muxi.schemas.spelling import misspelt_fields
from muxi.transport import BufferedResponse, Headers, Request, Timeouts
from muxi.transport.causes import hide_secrets, redact_error
from muxi_transports.http.attempt import Attempt, invalid_request
from tests.growth.rows.row import Row, sized, texts

__all__ = ["ROWS"]

SECRETS = ("fmc_0123456789", "a'b\"c\\d%20")

_CLIENT = FormationClient(url="http://localhost:1", client_key="k", transport="memory")
_REGISTRY_LOGGER = logging.getLogger("tests.growth")
_REGISTRY_LOGGER.disabled = True


class _Context:
    """What decoding reads of a context."""

    call = FormationClient.get_memories.call("u")
    attempt, elapsed, request_id, idempotency_key = 1, 0.0, None, None
    clock = ManualClock()


def decode_answer(text: str) -> object:
    return decode(BufferedResponse(200, [("content-type", "application/json")], text.encode()), _Context())  # type: ignore[arg-type]  # as much of one as is read


def decode_text(text: str) -> object:
    class Plain(_Context):
        call = FormationClient.metrics.call() if hasattr(FormationClient, "metrics") else _Context.call

    return decode(BufferedResponse(200, [("content-type", "text/plain")], text.encode()), Plain())  # type: ignore[arg-type]  # likewise


def check_answer(data: dict[str, Any]) -> Callable[[], object]:
    """The check of an answer that does not have its form, by a client that has seen none before."""
    call = FormationClient.get_memories.call("u")
    return lambda: SchemaRegistry(_REGISTRY_LOGGER).check_response(call, data)


def spell(body: Any) -> Callable[[], object]:
    return lambda: list(misspelt_fields("ChatRequest", body))


def many(make: Callable[[int], tuple[str, Any]]) -> Callable[[int], dict[str, Any]]:
    return lambda size: dict(make(index) for index in range(size))


def nested(levels: int) -> Any:
    value: Any = "a"
    for _ in range(levels):
        value = [value]
    return value


def fail(text: str) -> object:
    """The error for what a library says, with the exception of the library behind it."""
    attempt = Attempt(Request("GET", "http://localhost/", Headers(), None, Timeouts()), "localhost:80")
    error = attempt.failed_by([RuntimeError(text)])
    error.__cause__ = RuntimeError(f"headers {text}")
    hide_secrets(error, SECRETS)
    return error, invalid_request(ValueError(text))


_UNKNOWN = many(lambda index: (f"sesion_id{index}", "s"))

ROWS: dict[str, Row] = {
    "redact_text": texts(redact_text, "://", "://a@", "?a", "?token", "signature=", "fma_", "&token=a", "http://a:b@c "),
    "redact_text with secrets": texts(lambda text: redact_text(text, SECRETS), "://", "fmc_0", "a'b\"c", "%20"),
    "mask_forms": texts(lambda text: mask_forms(text, secret_forms(SECRETS)), "fmc_012345678", "a'b", "Zm1jX"),
    "redact_data": texts(lambda text: redact_data({"a": [text], "token": text}), "://", "?a", "token"),
    "redact_data of many fields": sized(
        10_000,
        fields=lambda size: (lambda data: lambda: redact_data(data))(many(lambda index: (f"token{index}", "://"))(size)),
    ),
    "keys_in": texts(lambda text: keys_in([("Authorization", text)]), "Bearer ", " ", "a"),
    "redact_error": texts(
        lambda text: redact_error(error_from_answer(400, text, (), text.encode()), SECRETS), "fmc_", "://", "<"
    ),
    "error_from_answer": texts(
        lambda text: error_from_answer(500, "No", (), text.encode()),
        *("{", '{"error":', " ", "<p>", '{"error":"No such","message":"a"}'),
    ),
    "the code of a phrase": texts(
        lambda text: error_from_answer(400, "", (), json.dumps({"error": text, "message": "m"}).encode()),
        *("Not Found ", "_", "ß", " "),
    ),
    "the fields of a refusal": sized(
        5000,
        fields=lambda size: (lambda body: lambda: str(error_from_answer(422, "", (), body)))(
            json.dumps({"detail": [{"loc": ["body", str(index)], "msg": "no"} for index in range(size)]}).encode()
        ),
    ),
    "decode": texts(decode_answer, "[", "{", '{"data":', " ", '"', '{"data": {}, "success": true}'),
    "decode a text": texts(decode_text, "a", "ü"),
    "format_body of JSON": texts(
        lambda text: format_body(json.dumps({"a": text}).encode(), "application/json", 2000), "://", "?a", "\\", '"'
    ),
    "format_body of text": texts(
        lambda text: format_body(text.encode(), "text/html", 2000), "://", "?a", "\\", "'", "ü"
    ),
    "load_answer": texts(
        lambda text: load_answer(text, dict), "```", "```json\n", "```\n", " ", "\n", "{", "` ", "a\n```\n{}\n```\n"
    ),
    "mask_emails_and_numbers": texts(mask_emails_and_numbers, "a@", ".+%-", "1 ", "1-", "AB12 ", "a.b@c.", "+(", "(("),
    "parse_ui_widgets": texts(lambda text: parse_ui_widgets({"event": "ui", "data": text}), "[", "{", '"'),
    "is_newer": texts(lambda text: is_newer(text, "1.0"), "1.", "a", "1!", "+a.", "-"),
    "redacted_url": texts(redacted_url, "://", "?a=", "&", "@", "/", "token=", "#", "http://h/?a=b&"),
    "server_of": texts(server_of, "http://", ":", "@", "["),
    "the announcement of a version": texts(lambda text: is_newer(f"1.post{text}", "1.0"), "1", "a"),
    "the exception of a library": texts(fail, " ", "<", "a", "\n"),
    "the directives of a cache": texts(lambda text: _directives(Headers({"cache-control": text})), ",", "a=", '"', " ,"),
    "the id of a request": texts(
        lambda text: _request_id(BufferedResponse(200, [], text.encode())), '"request"', '"request":{', '"request_id":', " "
    ),
    "check_id": texts(check_id, "a", "-", "A"),
    "flatten": texts(lambda text: list(flatten({"a": [text] * 10})), "a", "."),
    "the check of an answer": sized(
        500,
        fields=lambda size: check_answer({"memories": [], **many(lambda index: (f"x{index}", 1))(size)}),
        items=lambda size: check_answer({"memories": [{"id": 1, f"x{index}": 1} for index in range(size)], "count": 1}),
    ),
    "the spelling of fields": sized(
        2000,
        fields=lambda size: spell({"message": "x", **_UNKNOWN(size)}),
        files=lambda size: spell({"message": "x", "files": [_UNKNOWN(100)] * size}),
        others=lambda size: spell({"message": "x", "files": [_UNKNOWN(size)] * size} if size < 500 else {"files": []}),
        levels=lambda size: spell({"message": "x", "files": nested(min(size, 500))}),
    ),
}  # fmt: skip
