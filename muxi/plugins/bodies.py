"""Requests and answers as a log may show them: without secrets, cut short, and files by their size only."""

from __future__ import annotations

import json

from muxi.context import Context
from muxi.redact import is_secret_header, redact_data, redact_text
from muxi.transport import AsyncResponse, Body, BufferedResponse, BytesBody, FileBody, Headers, Request, Response

__all__ = ["shown_body", "shown_request", "shown_response"]

#: Bodies that are larger, in bytes, are not looked into: to find the secrets, all of it would have to be parsed.
LARGEST = 1024 * 1024

#: A text of a payload that is longer, in characters, and has no white space near its beginning is a file in base64.
_FILE_LIKE = 256

#: What is shorter, in characters, is no key.
_SHORTEST_SECRET = 6

#: Routes whose payloads are secrets, whatever their fields are called.
_WITHHELD = ("/secrets", "/credentials")


def shown_request(request: Request, context: Context, limit: int) -> str:
    """One line for a request: method, URL, headers and body.

    Args:
        request: as it is sent.
        context: of its call.
        limit: the most that is shown of the body, in characters; 0 shows none.
    """
    body = _shown_content(request.body, request.headers, context, limit)
    return f"{request.method} {redact_text(request.url)} {request.headers!r}{body}"


def shown_response(response: Response | AsyncResponse | BufferedResponse, context: Context, limit: int) -> str:
    """One line for an answer: status, headers and body; the body of a stream is not read."""
    body = " <stream>"
    if isinstance(response, BufferedResponse):
        body = _shown_content(BytesBody(response.content), response.headers, context, limit)
    return f"{response.status} {response.headers!r}{body}"


def _shown_content(body: Body | None, headers: Headers, context: Context, limit: int) -> str:
    if body is None or limit <= 0:
        return ""
    if isinstance(body, FileBody):
        return f" <file of {body.length} bytes>"
    if not isinstance(body, BytesBody):
        return " <stream>" if body.length is None else f" <{body.length} bytes>"
    if not body.content:
        return ""
    if context.call.path.startswith(_WITHHELD):
        return f" <{len(body.content)} bytes that may be secret>"
    return f" {shown_body(body.content, headers.get('content-type') or '', limit, _secrets_of(context))}"


def shown_body(content: bytes, content_type: str, limit: int, secrets: tuple[str, ...] = ()) -> str:
    """A body in one line.

    Args:
        content: all of it.
        content_type: its media type; what is neither JSON nor text is named by its size only.
        limit: where to cut it, in characters.
        secrets: what must not be shown, whatever it looks like.
    """
    kind = content_type.partition(";")[0].strip().lower()
    textual = kind.endswith(("/json", "+json")) or kind.startswith("text/")
    if not textual or len(content) > LARGEST:
        return f"<{len(content)} bytes of {kind or 'no content type'}>"
    if kind.startswith("text/"):
        text = redact_text(repr(content.decode("utf-8", "replace"))[1:-1], secrets)
    else:
        try:
            text = json.dumps(_shortened(redact_data(json.loads(content), secrets)), ensure_ascii=False)
        except ValueError:
            return f"<{len(content)} bytes that are no JSON>"
        except RecursionError:
            return f"<{len(content)} bytes, nested too deep to be shown>"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def _shortened(value: object) -> object:
    """The data with files named by their size."""
    if isinstance(value, str) and len(value) > _FILE_LIKE and not any(map(str.isspace, value[:_FILE_LIKE])):
        return f"<{len(value)} characters>"
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return value


def _secrets_of(context: Context) -> tuple[str, ...]:
    """The keys that go with a request: an answer may repeat one."""
    headers = context.request.headers if context.request else Headers()
    # With and without the scheme in front of it. What is as short as a word is found in other words too.
    found = (
        part for name, value in headers.items() if is_secret_header(name) for part in (value, value.split(" ", 1)[-1])
    )
    return tuple(part for part in found if len(part) >= _SHORTEST_SECRET)
