"""The files of a chat: their conversion from a caller's forms to the form of the wire.

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
from muxi.schemas.payloads import FILE_LIMIT

if TYPE_CHECKING:
    from muxi.types import FileInput

__all__ = ["content_type_of", "encoded_files"]

#: Media types that not every Python knows, or that machines name differently.
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
    """Read files and encode them in the form of the wire.

    Args:
        files: each a path, bytes, an open binary file, a pair ``(filename, content)``, a triple
            ``(filename, content, content_type)``, or a mapping in the form of the wire, whose ``content`` may be
            bytes or an open file as well; a text is taken as base64.

    Raises:
        ValidationError: one cannot be read, is too large or of another type; ``validation_errors`` names it as
            ``files.0``.
    """
    given: object = files
    if isinstance(given, str | bytes | bytearray | memoryview | os.PathLike | Mapping) or not isinstance(
        given, Sequence
    ):
        raise _file_error("files", f"takes a list, got {type(given).__name__}; put a single file into brackets")
    return [_encode(file, f"files.{index}", index) for index, file in enumerate(given)]


def content_type_of(filename: str) -> str:
    """Return the media type for a file's name; ``application/octet-stream`` for an unknown one."""
    known = _CONTENT_TYPES.get(PurePath(filename).suffix.lower())
    if known:
        return known
    # Only the last part of the name: mimetypes takes some paths for URLs.
    guessed, encoding = mimetypes.guess_type(PurePath(filename).name)
    return _COMPRESSED.get(encoding, _ANYTHING) if encoding else guessed or _ANYTHING


def _encode(file: object, field: str, index: int) -> dict[str, Any]:
    if isinstance(file, Mapping):
        content = file.get("content")
        # Text is in base64 already.
        return dict(file) if content is None or isinstance(content, str) else _read_file(dict(file), field, index)
    if isinstance(file, tuple):
        if len(file) not in (2, 3) or not isinstance(file[0], str):
            raise _file_error(field, "is a tuple, which has a filename, the content and maybe the content type")
        named: dict[str, Any] = dict(zip(("filename", "content", "content_type"), file, strict=False))
        if isinstance(named["content"], str):
            named["content"] = named["content"].encode()
        return _read_file(named, field, index)
    return _read_file({"content": file}, field, index)


def _read_file(file: dict[str, Any], field: str, index: int) -> dict[str, Any]:
    """Read the content of a file, and complete its fields."""
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
    """Read a source; return its bytes, and its name if it has one."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _check_size(bytes(source), field), None
    try:
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            # Before reading, so that a wrong path costs nothing.
            if (size := path.stat().st_size) > FILE_LIMIT:
                raise _too_large(size, field)
            with path.open("rb") as opened:
                return _check_size(opened.read(FILE_LIMIT + 1), field), path.name
        read = getattr(source, "read", None)
        if not callable(read):
            raise _file_error(
                field, f"is a path, bytes, an open file, a tuple or a mapping; this is {type(source).__name__}"
            )
        data = bytearray()
        # Unbuffered files may return less than requested.
        while len(data) <= FILE_LIMIT and (piece := read(FILE_LIMIT + 1 - len(data))):
            if not isinstance(piece, bytes | bytearray):
                raise _file_error(field, "is a file opened as text; open it with mode 'rb'")
            data += piece
    except (OSError, ValueError) as error:  # ValueError: a closed file, a null character in a path
        raise _file_error(field, f"cannot be read: {error}") from error
    name = getattr(source, "name", None)
    return _check_size(bytes(data), field), Path(name).name if isinstance(name, str) else None


def _check_size(data: bytes, field: str) -> bytes:
    if len(data) > FILE_LIMIT:
        raise _too_large(len(data), field)
    return data


def _too_large(size: int, field: str) -> ValidationError:
    return _file_error(f"{field}.size", f"has {size} bytes or more; the runtime takes {FILE_LIMIT} at most")


def _file_error(field: str, problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PAYLOAD", f"{field} {problem}", details={"validation_errors": [{"field": field, "msg": problem}]}
    )
