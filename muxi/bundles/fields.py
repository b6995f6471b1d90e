"""The top-level texts of a YAML document, as much as a formation file needs read before it is sent.

The core has no YAML library. What is read here means exactly what YAML says; what would take a whole parser
(aliases, tags, flow mappings, …) is given as :data:`UNREAD`, never as a guess.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import NamedTuple

__all__ = ["UNREAD", "Unread", "read_fields"]


class Unread(Enum):
    """The type of :data:`UNREAD`."""

    UNREAD = "unread"

    def __repr__(self) -> str:
        return "UNREAD"


#: The value of a field that is there, and is no plain text.
UNREAD = Unread.UNREAD

Value = str | Unread


class _NotReadable(Exception):
    """The document, or what is left of it, takes a whole parser."""


class _Found(NamedTuple):
    """A value, and the number of the first line after it."""

    value: Value
    next: int


_KEY = re.compile(r"(?P<key>[A-Za-z_$][\w.$-]*|\"[\w .$-]+\"|'[\w .$-]+')[ \t]*:(?=[ \t]|$)[ \t]*(?P<rest>.*)")
_BLOCK = re.compile(r"(?P<style>[|>])(?:(?P<indent2>[1-9])(?P<chomp2>[+-])|(?P<chomp>[+-])?(?P<indent>[1-9])?)")
#: What a value that begins like this is, takes a whole parser to say.
_SPECIAL = frozenset("&*!%@`{[|>,]}")
_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_HEX = {"x": 2, "u": 4, "U": 8}
#: Line breaks of YAML 1.1 that those of 1.2 are not, and characters that no document may have.
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def read_fields(text: str) -> dict[str, Value]:
    """The fields at the left margin of a YAML document, those with texts with their texts.

    Numbers, dates and booleans are given as they are written, an empty value as the empty text.

    Args:
        text: the document; of several the first counts.

    Returns:
        Texts by name; :data:`UNREAD` for a field that is a mapping or a list, or whose value is not read here.

    Raises:
        ValueError: the document as a whole cannot be read here, or is no mapping.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text.lstrip().startswith("{"):
        return _read_json(text)
    if _UNUSUAL.search(text):
        raise ValueError("it has control characters in it")
    lines = text.split("\n")
    fields: dict[str, Value] = {}
    number = _begin(lines)
    try:
        while number < len(lines) and not _is_marker(lines[number]):
            line = lines[number]
            if not line.strip() or line.lstrip(" \t").startswith("#"):
                number += 1
                continue
            match = _KEY.fullmatch(line)
            if match is None:
                raise _NotReadable(f"its line {number + 1} is nothing that is read here: {line[:40]!r}")
            found = _read_value(lines, number, match["rest"])
            fields[match["key"].strip("\"'")] = found.value
            number = found.next
    except _NotReadable as error:
        raise ValueError(str(error)) from None
    return fields


def _read_json(text: str) -> dict[str, Value]:
    """A document in flow style is read if it is JSON, which is YAML too."""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it begins with '{{' and is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise ValueError("it is no mapping")
    return {key: value if isinstance(value, str) else "" if value is None else UNREAD for key, value in payload.items()}


def _begin(lines: list[str]) -> int:
    """The number of the first line of the document itself, after directives and its ``---``."""
    for number, line in enumerate(lines):
        if line.startswith("---"):
            if line[3:].strip() and not line[3:].lstrip().startswith("#"):
                raise ValueError("its first line has something behind the '---'")
            return number + 1
        if line.strip() and not line.startswith("%") and not line.lstrip(" \t").startswith("#"):
            return number
    return 0


def _is_marker(line: str) -> bool:
    return line.startswith(("---", "...")) and (len(line) == 3 or line[3] in " \t")


def _end_of_block(lines: list[str], number: int) -> int:
    """The number of the next line at the left margin that has something to say."""
    number += 1
    while number < len(lines) and (not lines[number].strip() or lines[number][0] in " \t#"):
        number += 1
    return number


def _read_value(lines: list[str], number: int, rest: str) -> _Found:
    if rest[:1] in ("'", '"'):
        return _read_quoted(lines, number, rest)
    if match := _BLOCK.match(rest):
        tail = rest[match.end() :]
        if tail.strip() and not (tail[0] in " \t" and tail.lstrip().startswith("#")):
            raise _NotReadable(f"its line {number + 1} has something behind the {rest[0]!r}")
        return _read_block(lines, number + 1, match)
    if rest and _is_special(rest):
        return _skip_special(lines, number, rest)
    return _read_plain(lines, number, rest)


def _is_special(value: str) -> bool:
    return value[0] in _SPECIAL or (value[0] in "-?:" and value[1:2] in ("", " ", "\t"))


def _skip_special(lines: list[str], number: int, rest: str) -> _Found:
    """A collection, an alias, a tag: passed over where its end can be told without parsing it."""
    end = _end_of_block(lines, number)
    whole = "\n".join([rest, *lines[number + 1 : end]])
    closed = end < len(lines) and lines[end][:1] in ("]", "}")
    if rest[0] in "[{":
        if not set(whole).isdisjoint("'\"#"):
            raise _NotReadable(f"the collection in its line {number + 1} takes a whole parser")
        open_brackets = sum(whole.count(sign) for sign in "[{") - sum(whole.count(sign) for sign in "]}")
        if open_brackets != (1 if closed else 0):
            raise _NotReadable(f"the collection in its line {number + 1} does not end where it seems to")
        return _Found(UNREAD, end + 1 if closed else end)
    if not set(whole).isdisjoint("'\"[{"):
        raise _NotReadable(f"the value in its line {number + 1} takes a whole parser")
    return _Found(UNREAD, end)


def _read_plain(lines: list[str], number: int, rest: str) -> _Found:
    """A text without quotes, over as many lines as are indented."""
    first, commented = _uncommented(rest)
    pieces = [first] if first else []
    empty = 0
    end = number + 1
    while end < len(lines):
        line = lines[end]
        if not line.strip():
            empty += 1
            end += 1
            continue
        if line[0] not in " \t":
            break
        stripped = line.strip(" \t")
        if stripped.startswith("#"):
            commented = commented or bool(pieces)
            empty = 0
            end += 1
            continue
        if not pieces:
            # The value begins in a line of its own, and may be anything there.
            return _read_indented(lines, number, end)
        if commented:
            raise _NotReadable(f"its line {end + 1} goes on with a text that a comment has ended")
        piece, commented = _uncommented(stripped)
        pieces.append("\n" * empty if empty else " ")
        pieces.append(piece)
        empty = 0
        end += 1
    if not pieces and end < len(lines) and _is_item(lines[end]):
        # A list may stand at the margin of its key.
        while end < len(lines) and _is_item(lines[end]):
            end = _end_of_block(lines, end)
        return _Found(UNREAD, end)
    return _Found(_plain("".join(pieces)), end)


def _is_item(line: str) -> bool:
    return line == "-" or line.startswith(("- ", "-\t"))


def _read_indented(lines: list[str], number: int, start: int) -> _Found:
    """A value that stands below its key: a text of one line, else a collection, which is passed over."""
    end = _end_of_block(lines, number)
    inside = [line for line in lines[start:end] if line.strip() and not line.lstrip(" \t").startswith("#")]
    only = inside[0].strip(" \t")
    if len(inside) > 1 or only[0] in "'\"" or _is_special(only) or lines[start].startswith("\t"):
        return _Found(UNREAD, end)
    text, _ = _uncommented(only)
    return _Found(_plain(text), end)


def _uncommented(text: str) -> tuple[str, bool]:
    """The text without the comment at its end, and whether there was one."""
    match = re.search(r"(?:^|[ \t])#", text)
    return (text[: match.start()] if match else text).rstrip(" \t"), match is not None


def _plain(text: str) -> Value:
    if text in ("~", "null", "Null", "NULL"):
        return ""
    # ``a: b: c`` is an error, and ``a:\n  b: c`` a mapping.
    return UNREAD if re.search(r":(?:[ \t\n]|$)", text) else text


def _read_block(lines: list[str], number: int, header: re.Match[str]) -> _Found:
    """A text behind ``|`` or ``>``: all lines that are indented, folded where it says so."""
    end = number
    while end < len(lines) and (not lines[end].strip(" ") or lines[end][0] == " "):
        end += 1
    content = lines[number:end]
    given = header["indent"] or header["indent2"]
    filled = [line for line in content if line.strip(" ")]
    indent = int(given) if given else len(filled[0]) - len(filled[0].lstrip(" ")) if filled else 0
    unbroken = False
    if end == len(lines) and content:
        # What follows the last line break is no line, unless there is something.
        unbroken = len(content[-1]) > indent
        if not unbroken:
            content.pop()
    before = content[: content.index(filled[0])] if filled else content
    if any(len(line) - len(line.lstrip(" ")) < indent for line in filled) or any(len(line) > indent for line in before):
        raise _NotReadable(f"the text below its line {number} is not indented evenly")
    if not filled and any(content):
        raise _NotReadable(f"the text below its line {number} is only white space")
    texts = [line[indent:] for line in content]
    trailing = 0
    while texts and not texts[-1]:
        texts.pop()
        trailing += 1
    body = "\n".join(texts) if header["style"] == "|" else _folded(texts)
    chomp = header["chomp"] or header["chomp2"]
    if unbroken:
        return _Found(body, end)
    if chomp == "+":
        body += "\n" * (trailing + bool(texts))
    elif texts and chomp is None:
        body += "\n"
    return _Found(body, end)


def _folded(texts: list[str]) -> str:
    """Lines joined by spaces; those that are indented further, and empty ones, keep their breaks."""
    out = ""
    breaks = 0
    previous: str | None = None
    for line in texts:
        if not line:
            breaks += 1
            continue
        if previous is None:
            out += "\n" * breaks
        elif previous[0] in " \t" or line[0] in " \t":
            out += "\n" * (breaks + 1)
        else:
            out += "\n" * breaks if breaks else " "
        out += line
        previous, breaks = line, 0
    return out


def _read_quoted(lines: list[str], number: int, rest: str) -> _Found:
    """A text in quotes, which may go on over lines."""
    quote, pieces, text = rest[0], list[str](), rest[1:]
    end, empty, joined = number, 0, True
    while True:
        piece, after, glued = (_double if quote == '"' else _single)(text, number)
        if pieces and not joined:
            pieces.append("\n" * empty if empty else " ")
        elif empty:
            pieces.append("\n" * empty)
        pieces.append(piece)
        if after is not None:
            break
        joined, empty = glued, 0
        end += 1
        while end < len(lines) and not lines[end].strip(" \t"):
            empty += 1
            end += 1
        if end >= len(lines) or lines[end][0] not in " \t":
            raise _NotReadable(f"the quotes that its line {number + 1} opens are not closed")
        text = lines[end].lstrip(" \t")
    tail, _ = _uncommented(after)
    if tail or (after and after[0] not in " \t"):
        raise _NotReadable(f"its line {end + 1} has something behind the quotes")
    following = _end_of_block(lines, end)
    if any(line.strip() and not line.lstrip(" \t").startswith("#") for line in lines[end + 1 : following]):
        raise _NotReadable(f"its line {end + 1} is followed by an indented one")
    return _Found("".join(pieces), following)


def _single(text: str, number: int) -> tuple[str, str | None, bool]:
    """What a line has of a text in single quotes; behind it what follows the end, None where it goes on."""
    out = ""
    while True:
        before, found, after = text.partition("'")
        out += before
        if not found:
            return out.rstrip(" \t"), None, False
        if not after.startswith("'"):
            return out, after, False
        out, text = out + "'", after[1:]


def _double(text: str, number: int) -> tuple[str, str | None, bool]:
    """As :func:`_single`, for double quotes; the last says whether a backslash joins the next line to this one."""
    out, at, kept = "", 0, 0
    while at < len(text):
        character = text[at]
        if character == '"':
            return out, text[at + 1 :], False
        if character != "\\":
            out += character
            at += 1
            continue
        if at + 1 == len(text):
            return out, None, True
        escape = text[at + 1]
        at += 2
        if escape in _HEX:
            digits = text[at : at + _HEX[escape]]
            if len(digits) != _HEX[escape] or not re.fullmatch("[0-9a-fA-F]+", digits) or int(digits, 16) > 0x10FFFF:
                raise _NotReadable(f"its line {number + 1} has an escape that is none")
            out += chr(int(digits, 16))
            at += len(digits)
        elif escape in _ESCAPES:
            out += _ESCAPES[escape]
        else:
            raise _NotReadable(f"its line {number + 1} has an escape that is none: \\{escape}")
        kept = len(out)
    # White space at the end of a line goes, unless it was written as an escape.
    return out[:kept] + out[kept:].rstrip(" \t"), None, False
