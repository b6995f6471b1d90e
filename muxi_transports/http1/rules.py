"""The rules of reading HTTP/1.1: what of an answer is accepted, what is refused, by which section, and why.

The documentation and the tests are made from this table, and each refusal names the rule that it follows.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["RULES", "FramingRule"]

#: The longest line of a head or of trailers, in bytes, without its line feed.
MAX_LINE = 64 * 1024
#: The largest head, in bytes; interim answers count into it.
MAX_HEAD = 256 * 1024
#: The most field lines in a head, and in trailers.
MAX_FIELDS = 500
#: The most interim answers before an answer.
MAX_INTERIM = 100
#: The longest line with the size of a chunk, in bytes, without its line break.
MAX_CHUNK_LINE = 1024
#: The bytes of chunk extensions in an answer that need no content beside them.
MAX_EXTENSIONS = 16 * 1024
#: The largest trailer section, in bytes.
MAX_TRAILERS = 64 * 1024


class FramingRule(NamedTuple):
    """One row of the table."""

    #: The anchor of the rule.
    name: str
    #: The part of an answer that it is about.
    part: str
    #: What is received.
    received: str
    #: What is done with it.
    decision: str
    #: Where the RFC has it.
    section: str
    why: str = ""


_STATUS = "Status line"
_FIELDS = "Field lines"
_INTERIM = "Interim answers"
_LENGTH = "Length of the body"
_CHUNKS = "Chunks"
_KEEPING = "Keeping the connection"

_SMUGGLING = "Two readers would see two different ends, which is how answers are smuggled."

NOT_HTTP = FramingRule(
    "not-http", _STATUS, "anything that does not begin with `HTTP/`", "refused at the first byte that differs",
    "RFC 9112, 4", "HTTP/0.9 has no status line, so that anything could pass for it.",
)  # fmt: skip
VERSION = FramingRule(
    "version", _STATUS, "a version other than `HTTP/1.` and a digit: `HTTP/0.9`, `HTTP/2.0`, `HTTP/11`, `http/1.1`",
    "refused", "RFC 9112, 2.3", "Another major version has another framing.",
)  # fmt: skip
MINOR_VERSION = FramingRule(
    "minor-version", _STATUS, "`HTTP/1.2` to `HTTP/1.9`", "read as HTTP/1.1", "RFC 9110, 2.5"
)  # fmt: skip
STATUS_LINE = FramingRule(
    "status-line", _STATUS,
    "a line that is not version, one space, three digits and, after one space, a reason without control characters",
    "refused", "RFC 9112, 4", "The RFC warns that splitting at any white space lets answers be split.",
)  # fmt: skip
STATUS_LINE_END = FramingRule(
    "no-reason", _STATUS, "no reason, with or without the space before it", "accepted", "RFC 9112, 4",
    "Many servers leave it out. White space around a reason is dropped.",
)  # fmt: skip
STATUS_CODE = FramingRule(
    "status-code", _STATUS, "a status below 100", "refused", "RFC 9110, 15",
    "Code that asks for `status < 400` would take it for a success.",
)  # fmt: skip
UNKNOWN_CLASS = FramingRule(
    "unknown-class", _STATUS, "a status of 600 to 999", "accepted as it is", "RFC 9110, 15",
    "It reads as a failure, as the RFC wants, because it is above 500.",
)  # fmt: skip
HEAD_SIZE = FramingRule(
    "head-size", _FIELDS, f"a line of more than {MAX_LINE // 1024} KiB; "
    f"a head of more than {MAX_HEAD // 1024} KiB, interim answers included", "refused", "RFC 9112, 3 and 5",
)  # fmt: skip
FIELD_COUNT = FramingRule(
    "field-count", _FIELDS, f"more than {MAX_FIELDS} field lines in a head, or in trailers", "refused", "RFC 9110, 5.4"
)
BARE_LF = FramingRule(
    "bare-lf", _FIELDS, "a line of the head or the trailers that ends in LF without CR", "accepted", "RFC 9112, 2.2",
    "Scripts behind old gateways write it, and it cannot be taken for anything else.",
)  # fmt: skip
NO_COLON = FramingRule(
    "no-colon", _FIELDS, "a line without a colon", "refused", "RFC 9112, 5",
    "http.client ends the head there and takes the rest for the body.",
)  # fmt: skip
FIELD_NAME = FramingRule(
    "field-name", _FIELDS, "an empty name, or one with characters that are not of a token", "refused", "RFC 9110, 5.1"
)
SPACE_BEFORE_COLON = FramingRule(
    "space-before-colon", _FIELDS, "white space between a name and its colon", "refused", "RFC 9112, 5.1", _SMUGGLING
)
FIELD_VALUE = FramingRule(
    "field-value", _FIELDS, "NUL, or a CR that is not followed by LF, in a value", "refused", "RFC 9110, 5.5"
)
CONTROLS = FramingRule(
    "controls", _FIELDS, "another control character in a value", "kept", "RFC 9110, 5.5",
    "The RFC allows it, and cookies in the wild have them.",
)  # fmt: skip
FOLDING = FramingRule(
    "folding", _FIELDS, "a value that goes on in a line which begins with white space (obs-fold)",
    "the line break is replaced by a space", "RFC 9112, 5.2", "Clients have to.",
)  # fmt: skip
FOLDED_START = FramingRule(
    "folded-start", _FIELDS, "white space at the beginning of the first field line", "refused", "RFC 9112, 2.2"
)
INTERIM = FramingRule(
    "interim", _INTERIM, "statuses 100 and 102 to 199", "skipped; their fields keep the same rules, and frame nothing",
    "RFC 9110, 15.2", "http.client takes 103 for the answer.",
)  # fmt: skip
INTERIM_COUNT = FramingRule(
    "interim-count", _INTERIM, f"more than {MAX_INTERIM} interim answers", "refused", "RFC 9110, 15.2"
)
UPGRADE = FramingRule(
    "upgrade", _INTERIM, "101 Switching Protocols", "refused", "RFC 9110, 15.2.2", "No request asks for an upgrade."
)
BODILESS = FramingRule(
    "bodiless", _LENGTH, "an answer to HEAD; 204; 304", "ends with its head, whatever its fields say",
    "RFC 9112, 6.3 (1)", "The fields are those that the answer to GET would have.",
)  # fmt: skip
CONTENT_LENGTH = FramingRule(
    "content-length", _LENGTH, "a Content-Length that is not 1 to 18 ASCII digits: `+5`, `5 5`, nothing, 5,000 digits",
    "refused, even where it frames nothing", "RFC 9112, 6.3 (5)",
)  # fmt: skip
LENGTHS_EQUAL = FramingRule(
    "lengths-equal", _LENGTH, "several Content-Lengths of the same value, as lines or as a list", "taken as one",
    "RFC 9110, 8.6",
)  # fmt: skip
LENGTHS_DIFFER = FramingRule(
    "lengths-differ", _LENGTH, "several Content-Lengths that differ", "refused", "RFC 9112, 6.3 (5)", _SMUGGLING
)
CODINGS = FramingRule(
    "codings", _LENGTH, "a Transfer-Encoding that is not `chunked` alone, once, in any case", "refused",
    "RFC 9112, 6.1 and 7.1", "No request asks for another coding (TE), and parameters of chunked are an error.",
)  # fmt: skip
LENGTH_AND_CODING = FramingRule(
    "length-and-coding", _LENGTH, "Content-Length beside Transfer-Encoding", "refused", "RFC 9112, 6.3 (3)", _SMUGGLING
)
CODING_1_0 = FramingRule(
    "coding-1.0", _LENGTH, "Transfer-Encoding in HTTP/1.0", "refused", "RFC 9112, 6.1",
    "The framing has to be treated as faulty: the sender may not know what the field means.",
)  # fmt: skip
UNTIL_CLOSE = FramingRule(
    "until-close", _LENGTH, "neither length nor coding", "the end of the connection is the end of the body",
    "RFC 9112, 6.3 (8)",
)  # fmt: skip
EARLY_END = FramingRule(
    "early-end", _LENGTH, "the end of the connection before the end of head, length, chunks or trailers",
    "refused as incomplete", "RFC 9112, 8",
)  # fmt: skip
CHUNK_SIZE = FramingRule(
    "chunk-size", _CHUNKS, "a size that is not 1 to 16 hexadecimal digits: `+2`, `0x2`, `0_2`, ` 2`, nothing",
    "refused", "RFC 9112, 7.1", "http.client reads each of these as 2.",
)  # fmt: skip
CHUNK_PADDING = FramingRule(
    "chunk-padding", _CHUNKS, "spaces and tabs after a size", "ignored", "RFC 9112, 7.1",
    "Old servers pad sizes to a fixed width.",
)  # fmt: skip
CHUNK_EXTENSION = FramingRule(
    "chunk-extension", _CHUNKS, "extensions after `;`", "ignored; control characters in them are refused",
    "RFC 9112, 7.1.1",
)  # fmt: skip
CHUNK_LINE_END = FramingRule(
    "chunk-line-end", _CHUNKS, "a line with a size that does not end in CRLF", "refused", "RFC 9112, 7.1", _SMUGGLING
)
CHUNK_LINE_SIZE = FramingRule(
    "chunk-line-size", _CHUNKS, f"a line with a size of more than {MAX_CHUNK_LINE} bytes", "refused", "RFC 9112, 7.1.1"
)
EXTENSION_FLOOD = FramingRule(
    "extension-flood", _CHUNKS,
    f"extensions of more bytes together than {MAX_EXTENSIONS // 1024} KiB and the content of the chunks that have any",
    "refused", "RFC 9112, 7.1.1", "Otherwise a server makes a client work for bytes that bring nothing.",
)  # fmt: skip
CHUNK_END = FramingRule(
    "chunk-end", _CHUNKS, "anything but CRLF after the content of a chunk", "refused", "RFC 9112, 7.1",
    "http.client skips two bytes, whatever they are.",
)  # fmt: skip
TRAILERS = FramingRule(
    "trailers", _CHUNKS, "trailer fields", "held to the rules of field lines, and dropped", "RFC 9112, 7.1.2"
)
TRAILER_SIZE = FramingRule(
    "trailer-size", _CHUNKS, f"trailers of more than {MAX_TRAILERS // 1024} KiB", "refused", "RFC 9112, 7.1.2"
)
PERSISTENCE = FramingRule(
    "persistence", _KEEPING, "HTTP/1.1 without `close` in Connection; HTTP/1.0 with `keep-alive` and without `close`",
    "the connection is used again", "RFC 9112, 9.3", "The tokens are compared whole: `not-close` is not `close`.",
)  # fmt: skip
SURPLUS = FramingRule(
    "surplus", _KEEPING, "bytes after the end of the answer", "dropped, and the connection is closed",
    "RFC 9112, 9.2", "They would be taken for the answer to the next request.",
)  # fmt: skip
FRAMED_204 = FramingRule(
    "framed-204", _KEEPING, "204 with a Transfer-Encoding, or with a Content-Length that is not 0",
    "accepted, and the connection is closed", "RFC 9112, 6.1; RFC 9110, 8.6",
    "A server must not send them: a body may follow after all.",
)  # fmt: skip

#: Every rule, in the order of an answer.
RULES: tuple[FramingRule, ...] = (
    NOT_HTTP, VERSION, MINOR_VERSION, STATUS_LINE, STATUS_LINE_END, STATUS_CODE, UNKNOWN_CLASS,
    HEAD_SIZE, FIELD_COUNT, BARE_LF, NO_COLON, FIELD_NAME, SPACE_BEFORE_COLON, FIELD_VALUE, CONTROLS, FOLDING,
    FOLDED_START, INTERIM, INTERIM_COUNT, UPGRADE, BODILESS, CONTENT_LENGTH, LENGTHS_EQUAL, LENGTHS_DIFFER,
    CODINGS, LENGTH_AND_CODING, CODING_1_0, UNTIL_CLOSE, EARLY_END, CHUNK_SIZE, CHUNK_PADDING, CHUNK_EXTENSION,
    CHUNK_LINE_END, CHUNK_LINE_SIZE, EXTENSION_FLOOD, CHUNK_END, TRAILERS, TRAILER_SIZE,
    PERSISTENCE, SURPLUS, FRAMED_204,
)  # fmt: skip
