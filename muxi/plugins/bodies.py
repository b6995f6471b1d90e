"""Requests and answers formatted for logs: redacted, truncated, and with files reduced to their size."""

from __future__ import annotations

import json

from muxi.context import Context
from muxi.redact import mask_forms, redact_data, redact_text, secret_forms
from muxi.transport import AsyncResponse, Body, BufferedResponse, BytesBody, FileBody, Headers, Request, Response

__all__ = ["format_body", "format_content", "format_request", "format_response"]

#: Largest body that is formatted, in bytes: the whole body has to be parsed to redact it.
LARGEST = 1024 * 1024

#: Length in characters from which a text without white space at its beginning counts as a file in base64.
_FILE_LIKE = 256

#: Routes whose payloads are secrets, whatever the names of their fields.
_WITHHELD = ("/secrets", "/credentials")


def format_request(request: Request, context: Context, limit: int) -> str:
    """Format a request as one line: method, URL, headers and body.

    Args:
        request: the request as it is sent.
        context: context of its call.
        limit: number of characters of the body; 0 leaves it out.
    """
    body = format_content(request.body, request.headers, context, limit)
    line = f"{request.method} {redact_text(request.url)} {request.headers!r} {body}".rstrip()
    return mask_forms(line, secret_forms(context.secrets))


def format_response(response: Response | AsyncResponse | BufferedResponse, context: Context, limit: int) -> str:
    """Format an answer as one line: status, headers and body; the body of a stream is not read."""
    body = "<stream>"
    if isinstance(response, BufferedResponse):
        body = format_content(BytesBody(response.content), response.headers, context, limit)
    line = f"{response.status} {response.headers!r} {body}".rstrip()
    # A header of an answer may repeat a key, such as Location in its query.
    return mask_forms(redact_text(line), secret_forms(context.secrets))


def format_content(body: Body | None, headers: Headers, context: Context, limit: int) -> str:
    """Format the body of a request or an answer as one line, redacted; an empty text if there is none to show.

    Args:
        body: the body; only one that is in memory is read.
        headers: the headers that it is sent with.
        context: context of its call, whose secrets are masked.
        limit: number of characters after which it is truncated; 0 leaves it out.
    """
    if body is None or limit <= 0:
        return ""
    if isinstance(body, FileBody):
        return f"<file of {body.length} bytes>"
    if not isinstance(body, BytesBody):
        return "<stream>" if body.length is None else f"<{body.length} bytes>"
    if not body.content:
        return ""
    if context.call.path.startswith(_WITHHELD):
        return f"<{len(body.content)} bytes that may be secret>"
    return format_body(body.content, headers.get("content-type") or "", limit, context.secrets)


def format_body(content: bytes, content_type: str, limit: int, secrets: tuple[str, ...] = ()) -> str:
    """Format a body as one line.

    Args:
        content: the whole body.
        content_type: its media type; of a body that is neither JSON nor text only the size is given.
        limit: number of characters after which it is truncated.
        secrets: values to mask.
    """
    kind = content_type.partition(";")[0].strip().lower()
    textual = kind.endswith(("/json", "+json")) or kind.startswith("text/")
    if not textual or len(content) > LARGEST:
        return f"<{len(content)} bytes of {kind or 'no content type'}>"
    if kind.startswith("text/"):
        text = redact_text(repr(content.decode("utf-8", "replace"))[1:-1], secrets)
    else:
        try:
            text = json.dumps(_shorten_files(redact_data(json.loads(content), secrets)), ensure_ascii=False)
        except ValueError:
            return f"<{len(content)} bytes that are no JSON>"
        except RecursionError:
            return f"<{len(content)} bytes, nested too deep to be shown>"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def _shorten_files(value: object) -> object:
    """Return data with files replaced by their size."""
    if isinstance(value, str) and len(value) > _FILE_LIKE and not any(map(str.isspace, value[:_FILE_LIKE])):
        return f"<{len(value)} characters>"
    if isinstance(value, list):
        return [_shorten_files(item) for item in value]
    if isinstance(value, dict):
        return {name: _shorten_files(item) for name, item in value.items()}
    return value
