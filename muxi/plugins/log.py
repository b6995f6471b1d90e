"""A line for each attempt on the standard library's loggers."""

from __future__ import annotations

import logging
import sys

from muxi.context import Context
from muxi.errors import MuxiError
from muxi.hookspecs import hookimpl
from muxi.redact import redact_text
from muxi.transport import AsyncResponse, BufferedResponse, Response

__all__ = ["Log"]


class Log:
    """``muxi.log``: method, route, status, seconds, attempt and request id; never a key and never a body.

    Args:
        logger: where to; ``muxi`` if None.
        debug: show it even where the program has not set up any logging.
    """

    name = "muxi.log"

    def __init__(self, logger: logging.Logger | None = None, *, debug: bool = False) -> None:
        self._logger = logger or logging.getLogger("muxi")
        if debug:
            self._logger.setLevel(logging.DEBUG)
            if not self._logger.hasHandlers():
                handler = logging.StreamHandler(sys.stderr)
                handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
                self._logger.addHandler(handler)

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        if self._logger.isEnabledFor(logging.INFO):
            self._line(context, str(response.status))
        return None

    @hookimpl
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        if isinstance(error, MuxiError) and error.answer is None and self._logger.isEnabledFor(logging.INFO):
            self._line(context, redact_text(f"{error.code}: {error.message}"))

    def _line(self, context: Context, outcome: str) -> None:
        call = context.call
        self._logger.info(
            "%s -> %s in %.3f s (attempt %d%s)",
            call.label,
            outcome,
            context.elapsed,
            context.attempt,
            f", request {context.request_id}" if context.request_id else "",
        )
