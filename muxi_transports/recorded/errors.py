"""Errors of cassettes. They are permanent: none is retried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from muxi.errors import ConfigurationError, MuxiError
from muxi.lazy import LazyModule

if TYPE_CHECKING:
    import muxi_transports.recorded.exchange as exchanges
else:
    exchanges = LazyModule("muxi_transports.recorded.exchange")  # in annotations

__all__ = ["CassetteError", "UnrecordedRequest"]


class CassetteError(ConfigurationError):
    """A cassette cannot be read, written or played; the message names the file and, where it can, the line."""

    def __init__(self, message: str, code: str = "CASSETTE") -> None:
        # Past the constructor of the base, which knows one code only.
        MuxiError.__init__(self, code, message)

    def _arguments(self) -> tuple[Any, ...]:
        return self.message, self.code


class UnrecordedRequest(CassetteError):
    """A request was sent that the cassette has no answer to, and nothing may be recorded.

    Args:
        message: the same for people.
        nearest: the recorded exchange that is most like it; None where there is none.
        differences: what differs from the nearest, as ``body.message: sent 'Hello', recorded 'Hi'``. Empty where it
            fits and has been played already.
    """

    def __init__(
        self, message: str, nearest: exchanges.Exchange | None = None, differences: Sequence[str] = ()
    ) -> None:
        super().__init__(message, code="UNRECORDED_REQUEST")
        self.nearest: exchanges.Exchange | None = nearest
        self.differences: tuple[str, ...] = tuple(differences)

    def _arguments(self) -> tuple[Any, ...]:
        return self.message, None, self.differences
