"""The body of an answer: its content codings undone as it comes, and held to its declared length."""

from __future__ import annotations

import zlib

from muxi.transport import Headers, Request
from muxi_transports.http.attempt import Attempt

__all__ = ["KNOWN_CODINGS", "MAX_CODINGS", "MAX_STEP", "Codings", "Content"]

#: The most content codings that an answer may have; urllib3 has the same limit.
MAX_CODINGS = 5
#: The most bytes that a coding gives in one step. The reader gets them before the next step is made.
MAX_STEP = 256 * 1024

#: The most coded bytes that a coding may hand to the next one beyond what comes out as content. A body of one coding
#: is as large as what was sent; of several, a few bytes could stand for gigabytes that bring no content at all.
MAX_INTERMEDIATE = 16 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS
#: Codings that can be undone here, in lower case.
KNOWN_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
#: Bytes that a decoder is given at once.
_SLICE = 16 * 1024
# The most compressed members, one behind the other, that may bring no content at all.
_MAX_EMPTY_MEMBERS = 1000


class Content:
    """The part of a body that is handed on.

    Args:
        request: an answer to HEAD has no body.
        status: the status of the answer.
        headers: its headers.
        attempt: what makes the errors.
    """

    def __init__(self, request: Request, status: int, headers: Headers, attempt: Attempt) -> None:
        self._attempt = attempt
        self._bodiless = request.method.upper() == "HEAD" or status in (204, 304)
        length = (headers.get("content-length") or "").strip()
        self._left: int | None = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        self._codings = Codings(headers.get("content-encoding") or "", attempt)

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            ConnectionError: there is more than was declared.
        """
        if self._bodiless:
            return
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise self._attempt.failed("there is more of it than its Content-Length says", code="INVALID_RESPONSE")
        self._codings.add(piece)

    def take(self) -> bytes:
        """The next content of the bytes that were added, in bounded steps; nothing where they have brought all.

        Raises:
            ConnectionError: they are not encoded as they should be.
        """
        return self._codings.take()

    def finish(self) -> None:
        """Note the end of the body.

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

    :meth:`add` takes a piece, and :meth:`take` gives its content in steps of at most :data:`MAX_STEP` bytes for each
    coding, so that a small body that unpacks to gigabytes takes no more memory than its reader keeps.

    Args:
        names: the value of ``Content-Encoding``. With a coding that is unknown here the body is left as it is: the
            caller has asked for it.
        attempt: what makes the errors.

    Raises:
        ConnectionError: there are more than :data:`MAX_CODINGS`.
    """

    def __init__(self, names: str, attempt: Attempt) -> None:
        self._attempt = attempt
        encodings = [word.strip().lower() for word in names.split(",")]
        undone = [name for name in encodings if name not in ("", "identity")]
        if len(undone) > MAX_CODINGS:
            raise attempt.failed(
                f"it has {len(undone)} content codings, of at most {MAX_CODINGS}", code="INVALID_RESPONSE"
            )
        known = KNOWN_CODINGS.issuperset(encodings)
        self._decoders = [_Decoder(gzip=name != "deflate") for name in reversed(undone if known else [])]
        self._plain = b""
        #: Bytes that the codings have handed to each other, less those of the content.
        self._intermediate = 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        if self._decoders:
            self._decoders[0].add(piece)
        else:
            self._plain += piece

    def take(self) -> bytes:
        """The next content of the bytes that were added; nothing where they have brought all.

        Raises:
            ConnectionError: they are not encoded as they should be.
        """
        if not self._decoders:
            content, self._plain = self._plain, b""
            return content
        failure = None
        try:
            content = self._take(len(self._decoders) - 1)
            self._intermediate = max(0, self._intermediate - 2 * len(content))
            return content
        except zlib.error as error:
            failure = self._attempt.failed(f"it is not encoded as it says: {error}", code="INVALID_RESPONSE")
        raise failure

    def _take(self, index: int) -> bytes:
        """The next content behind one of the codings, of which the first is the outermost."""
        decoder = self._decoders[index]
        while True:
            if content := decoder.step():
                return content
            if not index:
                return b""
            inner = self._take(index - 1)
            if not inner:
                return b""
            self._intermediate += len(inner)
            if self._intermediate > MAX_INTERMEDIATE:
                raise zlib.error(f"more than {MAX_INTERMEDIATE} bytes without content")
            decoder.add(inner)

    def finish(self) -> None:
        """Note the end of the body.

        Raises:
            ConnectionError: the end of the coded content has not come; whatever framed it has lost it.
        """
        if not all(decoder.complete for decoder in self._decoders):
            raise self._attempt.failed("it ended before the answer did")


class _Decoder:
    """One content coding undone (RFC 9110, section 8.4.1), step by step."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inflate = zlib.decompressobj(_GZIP) if gzip else None
        #: Bytes that have come, and how many of them are decoded.
        self._waiting = b""
        self._at = 0
        self._begun = False
        #: Whether the last step was cut at its limit, so that more may come out without further bytes.
        self._more = False
        self._empty_members = 0
        self._member_is_empty = True

    @property
    def complete(self) -> bool:
        """True if the end of the coded content was seen, or nothing of it at all."""
        if self._inflate is None:
            return not self._waiting
        return self._inflate.eof or not self._begun

    def add(self, piece: bytes) -> None:
        """Take the next coded bytes."""
        self._waiting = self._waiting[self._at :] + piece
        self._at = 0

    def step(self) -> bytes:
        """The next content, of at most :data:`MAX_STEP` bytes; nothing where more has to come first."""
        while self._at < len(self._waiting) or self._more:
            inflate = self._inflate
            if inflate is None:
                if len(self._waiting) < 2:
                    return b""
                # Many send as "deflate" what has no zlib header (RFC 1950, section 2.2).
                headed = self._waiting[0] & 0x0F == 8 and int.from_bytes(self._waiting[:2], "big") % 31 == 0
                inflate = self._inflate = zlib.decompressobj(zlib.MAX_WBITS if headed else -zlib.MAX_WBITS)
            if inflate.eof:
                if not self._gzip:
                    break
                inflate = self._inflate = self._next_member()
            self._begun = True
            # Little at a time: zlib copies what it does not use, for each member anew.
            data = self._waiting[self._at : self._at + _SLICE]
            content = inflate.decompress(data, MAX_STEP)
            self._more = len(content) == MAX_STEP and not inflate.eof
            self._at += len(data) - len(inflate.unused_data if inflate.eof else inflate.unconsumed_tail)
            if content:
                self._member_is_empty = False
                return content
        self._waiting, self._at = b"", 0
        return b""

    def _next_member(self) -> zlib._Decompress:
        """A gzip stream may have several members (RFC 1952, section 2.2)."""
        self._empty_members = self._empty_members + 1 if self._member_is_empty else 0
        if self._empty_members > _MAX_EMPTY_MEMBERS:
            raise zlib.error(f"more than {_MAX_EMPTY_MEMBERS} members without content")
        self._member_is_empty = True
        return zlib.decompressobj(_GZIP)
