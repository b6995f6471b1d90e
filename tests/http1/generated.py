"""Answers out of a seed: valid ones, and ones with faults of the kinds that servers and attackers make."""

from __future__ import annotations

import random
from typing import NamedTuple

# What a byte-wise fault puts in: what means something to a parser of HTTP.
_LOADED = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"5",
    b"a",
    b"\x0b",
    b"\x7f",
    b"\xe9",
    b"-",
]

_VERSIONS = [b"HTTP/1.1"] * 30 + [b"HTTP/1.0"] * 4 + [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/11", b"http/1.1"]
_STATUSES = (
    [b"200"] * 20 + [b"204"] * 3 + [b"304"] * 2 + [b"404", b"500", b"205", b"600", b"999", b"000", b"099", b"101"]
)
_ODD_STATUSES = [b"20", b"2000", b"2x0", b"-20", b"+20", b""]
_REASONS = [b" OK"] * 10 + [b"", b" ", b" Not  Found", b" caf\xe9", b"\tOK", b"  OK", b" O\x01K", b" O\0K"]
_INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 102\r\n\r\n",
]
_FIELDS = [
    b"Content-Type: application/json",
    b"Date: Thu, 26 Nov 2026 19:00:00 GMT",
    b"X-Empty:",
    b"X-Spaces: \t a  b \t ",
    b"x!#$%&'*+-.^_`|~9: token",
    b"Set-Cookie: a=b; Path=/",
    b"Set-Cookie: c=\xe9",
    b"X-Folded: a\r\n b",
    b"X-Folded: a\r\n\t \r\n b",
]
_ODD_FIELDS = [
    b"no colon",
    b": no name",
    b"Space : before",
    b"Tab\t: before",
    b"a b: c",
    b"X: a\0b",
    b"X: a\rb",
    b"X: a\x01b",
    b"X: a\x0bb",
    b"X: a\x0cb",
    b"\xe9: x",
    b" X: folded start",
    b"Content-Length : 3",
    b"Transfer-Encoding : chunked",
]
_ODD_LENGTHS = [
    b"+%d",
    b"-%d",
    b"0x%d",
    b"%d.0",
    b"0_%d",
    b"%d %d",
    b"",
    b"x",
    b"0%d",
    b"%d, %d",
    b"%d,%d",
    b"%d, 0%d",
    b"%d,",
    b"\xb2",
]
_ODD_CODINGS = [
    b"gzip",
    b"gzip, chunked",
    b"chunked, gzip",
    b"identity",
    b"chunked;q=1",
    b"",
    b"Chunked",
    b"chunked, chunked",
]
_CONNECTIONS = [b"close", b"keep-alive", b"Close", b"x, close", b"keep-alive, close", b"not-close", b"upgrade"]
_ODD_SIZES = [
    b"+%x",
    b"-%x",
    b"0x%x",
    b"0_%x",
    b" %x",
    b"%x ",
    b"%x\t",
    b"00%x",
    b"%xg",
    b"",
    b"%x;a=b",
    b'%x ;a="b"',
    b"%x;\0",
    b"%x;\r",
]
_ODD_ENDS = [b"", b"\n", b"\r", b"XX", b"X", b"\n\r", b" \r\n", b"\r\n\r\n"]


class Generated(NamedTuple):
    """An answer, and the method of the request that it is for."""

    method: str
    wire: bytes


def generate(seed: int) -> Generated:
    """The answer of a seed: always the same."""
    return _Maker(random.Random(seed)).make()


class _Maker:
    """Makes an answer with a number of faults that is drawn first: two in five have none."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._faults = dice.choices([0, 1, 2], [8, 9, 3])[0]

    def make(self) -> Generated:
        dice = self._dice
        method = dice.choices(["GET", "POST", "HEAD"], [7, 2, 1])[0]
        wire = b"".join(dice.choices(_INTERIM, k=dice.choices([0, 1, 2], [16, 3, 1])[0])) + self._answer()
        if dice.random() < 0.04:
            wire += dice.choice([b"\r\n", b"X", wire])
        if self._faults and dice.random() < 0.15:
            wire = wire[: dice.randrange(len(wire) + 1)]
        while self._faults and dice.random() < 0.7:
            self._faults -= 1
            wire = self._damage(wire)
        return Generated(method, wire)

    def _strike(self, chance: float) -> bool:
        """Whether a fault is made here."""
        if self._faults and self._dice.random() < chance:
            self._faults -= 1
            return True
        return False

    def _answer(self) -> bytes:
        dice = self._dice
        status = (
            dice.choice(_ODD_STATUSES) if self._strike(0.03) else dice.choice(_STATUSES[: None if self._faults else 28])
        )
        line = dice.choice(_VERSIONS[: None if self._strike(0.15) else 34]) + b" " + status
        line += dice.choice(_REASONS[: None if self._strike(0.1) else 14])
        fields = dice.choices(_FIELDS, k=dice.randrange(5))
        if self._strike(0.15):
            fields.append(dice.choice(_ODD_FIELDS))
        if dice.random() < 0.15:
            fields.append(b"Connection: " + dice.choice(_CONNECTIONS))
        framing, body = self._framed(dice.randbytes(dice.choice([0, 1, 5, 16, 300])))
        fields += framing
        dice.shuffle(fields)
        ends = [b"\n" if self._faults and dice.random() < 0.05 else b"\r\n" for _ in range(len(fields) + 2)]
        head = b"".join(text + end for text, end in zip([line, *fields, b""], ends, strict=True))
        return head + body

    def _framed(self, content: bytes) -> tuple[list[bytes], bytes]:
        dice = self._dice
        length = b"%d" % len(content)
        if self._strike(0.1):
            odd = dice.choice(_ODD_LENGTHS)
            return [b"Content-Length: " + odd.replace(b"%d", length)], content
        kind = dice.random()
        if kind < 0.4:
            fields = [b"Content-Length: " + length] * dice.choice([1, 1, 1, 1, 2])
            if self._strike(0.1):
                fields.append(dice.choice([b"Content-Length: 7", b"Transfer-Encoding: chunked"]))
            return fields, content
        if kind < 0.5:
            return [], content
        coding = dice.choice(_ODD_CODINGS) if self._strike(0.1) else b"chunked"
        fields = [b"Transfer-Encoding: " + coding]
        if self._strike(0.05):
            fields.append(dice.choice([b"Content-Length: " + length, fields[0]]))
        return fields, self._chunked(content)

    def _chunked(self, content: bytes) -> bytes:
        dice = self._dice
        wire = b""
        while content:
            size = dice.randrange(1, len(content) + 1)
            form = dice.choice(_ODD_SIZES) if self._strike(0.15) else dice.choice([b"%x", b"%X", b"%x;n=v"])
            line = form.replace(b"%x", b"%x" % size).replace(b"%X", b"%X" % size)
            line += b"\n" if self._strike(0.05) else b"\r\n"
            end = dice.choice(_ODD_ENDS) if self._strike(0.1) else b"\r\n"
            wire += line + content[:size] + end
            content = content[size:]
        wire += dice.choice([b"0", b"0", b"000", b"0;last"]) + b"\r\n"
        if dice.random() < 0.1:
            wire += dice.choice(_ODD_FIELDS if self._strike(0.5) else _FIELDS) + b"\r\n"
        return wire + b"\r\n"

    def _damage(self, wire: bytes) -> bytes:
        dice = self._dice
        # Mostly in the lines, which are at the beginning.
        at = dice.randrange(min(len(wire), dice.choice([20, 60, 200, 1000])) + 1)
        kind = dice.random()
        if kind < 0.4:
            return wire[:at] + dice.choice(_LOADED) + wire[at:]
        if kind < 0.7:
            return wire[:at] + wire[at + 1 :]
        return wire[:at] + dice.choice(_LOADED) + wire[at + 1 :]
