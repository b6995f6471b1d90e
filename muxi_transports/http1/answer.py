"""The reader of an answer: bytes of the connection go in, a head and content come out."""

from __future__ import annotations

from muxi_transports.http1 import rules
from muxi_transports.http1.errors import AnswerError, IncompleteAnswer, MalformedAnswer, NoAnswer
from muxi_transports.http1.framing import BodyReader, find_framing
from muxi_transports.http1.head import Head, HeadBlock, find_end, parse_head

__all__ = ["AnswerReader"]


class AnswerReader:
    """Reads one answer. It does no I/O, and the result does not depend on how the bytes are cut.

    Args:
        method: of the request; an answer to HEAD has no body.

    Raises:
        ValueError: the method is CONNECT, whose answers turn the connection into a tunnel.
    """

    __slots__ = ("_block", "_body", "_interim", "_method", "_reusable", "_room", "ended", "fault", "head")

    #: Whether the head lets the connection be used again; set with the body.
    _reusable: bool

    def __init__(self, method: str) -> None:
        if method == "CONNECT":
            raise ValueError("answers to CONNECT cannot be read here")
        self._method = method
        self._block: HeadBlock | None = None
        self._body: BodyReader | None = None
        self._interim = 0
        #: The bytes that heads may still have.
        self._room = rules.MAX_HEAD
        #: The head, once it is complete; interim answers are skipped.
        self.head: Head | None = None
        #: Whether the answer is complete.
        self.ended: bool = False
        #: The error that the next call raises; there is nothing to wait for then.
        self.fault: AnswerError | None = None

    @property
    def reusable(self) -> bool:
        """True if another request may follow on the connection. False until the answer is complete."""
        body = self._body
        return body is not None and body.ended and self._reusable and not body.surplus

    def feed(self, data: bytes) -> bytes:
        """The content in the next bytes of the connection; may be empty.

        Where the bytes break a rule after they completed the head or brought content, that comes first, and the next
        call raises; :attr:`fault` says so at once.

        Raises:
            MalformedAnswer: the answer breaks a rule.
        """
        body = self._body
        if body is None:
            return self._feed_head(data)
        content = body.decode(data) if self.fault is None else b""
        self.ended = body.ended
        if body.fault is not None:
            self.fault = body.fault
        if self.fault is not None and not content:
            raise self.fault
        return content

    def eof(self) -> None:
        """Note the end of the connection.

        Raises:
            IncompleteAnswer: it is not the end of the answer; a :class:`NoAnswer` where no byte of one has come.
            MalformedAnswer: the fault that is not raised yet.
        """
        if self.fault is None:
            if self._body is not None and self._body.finish():
                self.ended = True
                return
            self.fault = IncompleteAnswer() if self._begun else NoAnswer()
        raise self.fault

    @property
    def _begun(self) -> bool:
        return self.head is not None or self._block is not None or self._interim > 0

    def _feed_head(self, data: bytes) -> bytes:
        if self.fault is not None:
            raise self.fault
        try:
            rest = self._read_head(data)
        except MalformedAnswer as fault:
            self.fault = fault
            raise
        body = self._body
        if body is None:
            return b""
        content = body.decode(rest)
        self.ended = body.ended
        self.fault = body.fault
        return content

    def _read_head(self, data: bytes) -> bytes:
        """Read the heads in the next bytes, and return the bytes behind them."""
        while data:
            block = self._block
            end = find_end(data) if block is None else -1
            if 0 <= end <= rules.MAX_LINE and end <= self._room:
                head = parse_head(data[:end])
                data = data[end:]
            else:
                if block is None:
                    block = self._block = HeadBlock(self._room)
                surplus = block.add(data)
                if surplus < 0:
                    return b""
                head = parse_head(block.content)
                end = len(block.content)
                data = data[len(data) - surplus :]
                self._block = None
            self._room -= end
            if head.status >= 200:
                self._body, self._reusable = find_framing(head, self._method)
                self.head = head
                return data
            self._skip(head)
        return b""

    def _skip(self, head: Head) -> None:
        if head.status == 101:
            raise MalformedAnswer(rules.UPGRADE)
        self._interim += 1
        if self._interim > rules.MAX_INTERIM:
            raise MalformedAnswer(rules.INTERIM_COUNT)
