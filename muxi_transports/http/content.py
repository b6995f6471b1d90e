"""The body of an answer: its content codings undone as it comes, and held to its declared length."""

from __future__ import annotations

import zlib

from muxi.transport import Headers, Request
from muxi_transports.http.attempt import Attempt

__all__ = ["Codings", "Content"]

_GZIP = 16 + zlib.MAX_WBITS


class Content:
    """What of a body is handed on.

    Args:
        request: what was asked; an answer to HEAD has no body.
        status: the status of the answer.
        headers: its headers.
        attempt: what makes the errors.
    """

    def __init__(self, request: Request, status: int, headers: Headers, attempt: Attempt) -> None:
        self._attempt = attempt
        self._bodiless = request.method.upper() == "HEAD" or status in (204, 304)
        length = (headers.get("content-length") or "").strip()
        self._left: int | None = int(length) if length.isascii() and length.isdigit() else None
        self._codings = Codings(headers.get("content-encoding") or "", attempt)

    def feed(self, piece: bytes) -> bytes:
        """The next piece as the reader is to see it; may be empty.

        Raises:
            ConnectionError: there is more than was declared, or it is not encoded as it should be.
        """
        if self._bodiless:
            return b""
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise self._attempt.failed("there is more of it than its Content-Length says", code="INVALID_RESPONSE")
        return self._codings.feed(piece)

    def finish(self) -> None:
        """Note that nothing more comes.

        Raises:
            ConnectionError: there should have been more.
        """
        if self._bodiless:
            return
        if self._left:
            raise self._attempt.failed("it ended before the answer did")
        self._codings.finish()


class Codings:
    """The content codings of a body undone, piece by piece (RFC 9110, section 8.4).

    Args:
        names: the value of ``Content-Encoding``. With a coding that is not known here the body is left as it is: the
            caller has asked for it.
        attempt: what makes the errors.
    """

    def __init__(self, names: str, attempt: Attempt) -> None:
        self._attempt = attempt
        encodings = [word.strip().lower() for word in names.split(",")]
        known = all(encoding in ("", "identity", "gzip", "x-gzip", "deflate") for encoding in encodings)
        self._decoders = [
            _Decoder(gzip=encoding != "deflate")
            for encoding in reversed(encodings if known else [])
            if encoding not in ("", "identity")
        ]

    def feed(self, piece: bytes) -> bytes:
        """What the next piece holds; may be empty.

        Raises:
            ConnectionError: it is not encoded as it should be.
        """
        try:
            for decoder in self._decoders:
                piece = decoder.feed(piece)
        except zlib.error as error:
            raise self._attempt.failed(f"it is not encoded as it says: {error}", code="INVALID_RESPONSE") from error
        return piece

    def finish(self) -> None:
        """Note that nothing more comes.

        Raises:
            ConnectionError: the end of the coded content has not come; whatever framed it has lost it.
        """
        if not all(decoder.complete for decoder in self._decoders):
            raise self._attempt.failed("it ended before the answer did")


class _Decoder:
    """One content coding undone (RFC 9110, section 8.4.1), piece by piece."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inflate = zlib.decompressobj(_GZIP) if gzip else None
        self._beginning = b""

    @property
    def complete(self) -> bool:
        """Whether the end of the coded content was seen, or nothing of it at all."""
        return not self._beginning if self._inflate is None else self._inflate.eof or not self._beginning

    def feed(self, piece: bytes) -> bytes:
        decoded = b""
        if len(self._beginning) < 2:
            self._beginning += piece
        if self._inflate is None:
            if len(self._beginning) < 2:
                return b""
            # Many send as "deflate" what has no zlib header (RFC 1950, section 2.2).
            headed = self._beginning[0] & 0x0F == 8 and int.from_bytes(self._beginning[:2], "big") % 31 == 0
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if headed else -zlib.MAX_WBITS)
            piece = self._beginning
        while piece:
            if self._inflate.eof:
                if not self._gzip:
                    break
                self._inflate = zlib.decompressobj(_GZIP)  # a gzip stream may have several members
            decoded += self._inflate.decompress(piece)
            piece = self._inflate.unused_data
        return decoded
