"""The files of a chat: from whatever the caller has to what the wire wants.

The wire has ``{"filename", "content", "content_type", "size"}``, the content in base64, the size in bytes.
"""

from __future__ import annotations

import mimetypes
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from muxi.errors import ValidationError

if TYPE_CHECKING:
    from muxi.types import FileInput

__all__ = ["FILE_LIMIT", "content_type_of", "encoded_files"]

#: The largest file that the runtime takes, in bytes (52 MB, by the size that is declared).
FILE_LIMIT = 52 * 1024 * 1024

#: What is common in chats and not known to every Python, or known to each machine by another name.
_CONTENT_TYPES = {
    ".aac": "audio/aac",
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".flac": "audio/flac",
    ".jsonl": "application/jsonl",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mp3": "audio/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_COMPRESSED = {"br": "application/x-brotli", "bzip2": "application/x-bzip2", "gzip": "application/gzip"}
_ANYTHING = "application/octet-stream"


def encoded_files(files: Sequence[FileInput]) -> list[dict[str, Any]]:
    """Read files and put them into the form of the wire.

    Args:
        files: each a path, bytes, an open binary file, a pair ``(filename, content)``, a triple
            ``(filename, content, content_type)``, or a mapping as the wire has it, whose ``content`` may be
            bytes or an open file as well; text in it is left as it is.

    Raises:
        ValidationError: one cannot be read, is too large or is none of these; ``validation_errors`` names it as
            ``files.0``.
    """
    given: object = files
    if isinstance(given, str | bytes | bytearray | memoryview | os.PathLike | Mapping) or not isinstance(
        given, Sequence
    ):
        raise _refused("files", f"takes a list, got {type(given).__name__}; put a single file into brackets")
    return [_encoded(file, f"files.{index}", index) for index, file in enumerate(given)]


def content_type_of(filename: str) -> str:
    """The media type that a file's name suggests; ``application/octet-stream`` where it suggests none."""
    known = _CONTENT_TYPES.get(PurePath(filename).suffix.lower())
    if known:
        return known
    # A name alone, for what looks like a URL is taken for one.
    guessed, encoding = mimetypes.guess_type(PurePath(filename).name)
    return _COMPRESSED.get(encoding, _ANYTHING) if encoding else guessed or _ANYTHING


def _encoded(file: object, field: str, index: int) -> dict[str, Any]:
    if isinstance(file, Mapping):
        content = file.get("content")
        # Text is base64 already, as the wire has it.
        return dict(file) if content is None or isinstance(content, str) else _completed(dict(file), field, index)
    if isinstance(file, tuple):
        if len(file) not in (2, 3) or not isinstance(file[0], str):
            raise _refused(field, "is a tuple, which has a filename, the content and maybe the content type")
        named: dict[str, Any] = dict(zip(("filename", "content", "content_type"), file, strict=False))
        if isinstance(named["content"], str):
            named["content"] = named["content"].encode()
        return _completed(named, field, index)
    return _completed({"content": file}, field, index)


def _completed(file: dict[str, Any], field: str, index: int) -> dict[str, Any]:
    """A file whose content is still to be read, with everything that can be told from it."""
    data, source = _read(file["content"], field)
    filename = file.get("filename") or source or f"file-{index + 1}"
    return {
        **file,
        "filename": filename,
        "content": b64encode(data).decode("ascii"),
        "content_type": file.get("content_type") or file.get("mime_type") or content_type_of(str(filename)),
        "size": len(data),
    }


def _read(source: object, field: str) -> tuple[bytes, str | None]:
    """The bytes of a source, and the name that it has."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _checked(bytes(source), field), None
    try:
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            # Before reading, so that a wrong path costs nothing.
            if (size := path.stat().st_size) > FILE_LIMIT:
                raise _too_large(size, field)
            with path.open("rb") as opened:
                return _checked(opened.read(FILE_LIMIT + 1), field), path.name
        read = getattr(source, "read", None)
        if not callable(read):
            raise _refused(
                field, f"is a path, bytes, an open file, a tuple or a mapping; this is {type(source).__name__}"
            )
        data = bytearray()
        # Unbuffered files may give less than they are asked for, and more later.
        while len(data) <= FILE_LIMIT and (piece := read(FILE_LIMIT + 1 - len(data))):
            if not isinstance(piece, bytes | bytearray):
                raise _refused(field, "is a file opened as text; open it with mode 'rb'")
            data += piece
    except (OSError, ValueError) as error:  # ValueError: a closed file, a null character in a path
        raise _refused(field, f"cannot be read: {error}") from error
    name = getattr(source, "name", None)
    return _checked(bytes(data), field), Path(name).name if isinstance(name, str) else None


def _checked(data: bytes, field: str) -> bytes:
    if len(data) > FILE_LIMIT:
        raise _too_large(len(data), field)
    return data


def _too_large(size: int, field: str) -> ValidationError:
    return _refused(f"{field}.size", f"has {size} bytes or more; the runtime takes {FILE_LIMIT} at most")


def _refused(field: str, problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PAYLOAD", f"{field} {problem}", details={"validation_errors": [{"field": field, "msg": problem}]}
    )
