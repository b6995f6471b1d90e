"""The error of this package."""

from __future__ import annotations

from typing import Any

from muxi.errors import MuxiError

__all__ = ["WebhookVerificationError"]


class WebhookVerificationError(MuxiError):
    """A webhook that cannot be trusted or parsed. It contains neither secrets nor signatures.

    ``code`` is one of ``SECRET_MISSING``, ``SIGNATURE_MISSING``, ``SIGNATURE_MALFORMED``,
    ``TIMESTAMP_OUT_OF_TOLERANCE``, ``SIGNATURE_MISMATCH``, ``REPLAYED``, ``PAYLOAD_INVALID``, ``PAYLOAD_TYPE``,
    ``ARGUMENT_TYPE``.
    """

    def __init__(self, message: str, code: str = "WEBHOOK_REFUSED") -> None:
        super().__init__(code, message)

    def _arguments(self) -> tuple[Any, ...]:
        return self.message, self.code
