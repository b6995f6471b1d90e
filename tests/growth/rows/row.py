"""One row of the table: a function, and the inputs that could make it expensive."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from muxi.cli.exits import CommandFailure
from muxi.errors import MuxiError
from muxi.webhook import WebhookVerificationError
from muxi_transports.http1 import AnswerError
from tests.growth.measure import Make

__all__ = ["Row", "binary", "in_pieces", "refusable", "sized", "texts"]


class Row(NamedTuple):
    """Inputs by what they repeat, each as a function that makes one of a size."""

    inputs: dict[str, Make]
    #: Elements of the largest input for the two judges: of code in Python, and of code in C.
    most_steps: int = 20_000
    most_time: int = 100_000


def refusable(function: Callable[[], object]) -> Callable[[], object]:
    """A function whose refusal is as good as its result."""

    def run() -> object:
        try:
            return function()
        except (MuxiError, WebhookVerificationError, AnswerError, CommandFailure, ValueError) as error:
            return error

    return run


def texts(function: Callable[[str], object], *units: str, after: str = "") -> Row:
    """A function of a text, tried on repetitions of each unit."""

    def inputs(unit: str) -> Make:
        def make(size: int) -> Callable[[], object]:
            text = unit * max(1, size // len(unit)) + after
            return refusable(lambda: function(text))

        return make

    return Row({unit: inputs(unit) for unit in units})


def binary(function: Callable[[bytes], object], *units: bytes, before: bytes = b"", after: bytes = b"") -> Row:
    """A function of bytes, tried on repetitions of each unit."""

    def inputs(unit: bytes) -> Make:
        def make(size: int) -> Callable[[], object]:
            content = before + unit * max(1, size // len(unit)) + after
            return refusable(lambda: function(content))

        return make

    return Row({unit.decode("latin-1"): inputs(unit) for unit in units})


def in_pieces(
    start: Callable[[], Callable[[bytes], object]],
    *units: bytes,
    piece: int = 7,
    before: bytes = b"",
    most: int = 30_000,
) -> Row:
    """A decoder, fed with repetitions of each unit in small pieces.

    Args:
        start: returns the function that takes the pieces of one input.
        units: the units.
        piece: bytes of a piece.
        before: what comes first, in one piece.
        most: bytes of the largest input.
    """

    def inputs(unit: bytes) -> Make:
        def make(size: int) -> Callable[[], object]:
            content = unit * max(1, size // len(unit))

            def run() -> None:
                feed = start()
                if before:
                    feed(before)
                for at in range(0, len(content), piece):
                    feed(content[at : at + piece])

            return refusable(run)

        return make

    return Row({unit.decode("latin-1"): inputs(unit) for unit in units}, most // 5, most)


def sized(most: int = 20_000, /, **makes: Make) -> Row:
    """A function with inputs that are no repetitions of a text: so many fields, items, levels."""

    def guarded(make: Make) -> Make:
        return lambda size: refusable(make(size))

    return Row({name: guarded(make) for name, make in makes.items()}, most, most)
