"""Logging of attempts, waits and streams with the standard library."""

from __future__ import annotations

import logging
import re
import sys

from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_number
from muxi.redact import redact_text, show_value
from muxi.streaming.call import StreamCall
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response
from muxi.transport.arguments import check_arguments

__all__ = ["Log"]

#: The platform's id of a request, near the beginning of its envelopes.
_REQUEST_ID = rb'"request"\s*:\s*\{\s*"id"\s*:\s*"([\w-]+)"|"request_id"\s*:\s*"([\w-]+)"'


@check_arguments("logger")
class Log:
    """``muxi.log``: logs at INFO each attempt, each wait and the end of each stream; at DEBUG requests and answers.

    A line for an attempt has method, route, status, seconds, the attempt's number and the platform's id of the request,
    in words and as attributes of the record: ``muxi_event``, ``muxi_call``, ``muxi_method``, ``muxi_route``,
    ``muxi_attempt``, ``muxi_request_id``, and if known ``muxi_status``, ``muxi_code``, ``muxi_seconds``,
    ``muxi_delay``. Keys are never logged, and bodies at DEBUG only, redacted and truncated.

    Args:
        logger: the logger; ``logging.getLogger("muxi")`` if None.
        debug: whether to log at DEBUG, to stderr if the program has not configured logging.
        body_limit: number of characters of a body; 0 leaves bodies out.

    Raises:
        ConfigurationError: ``logger`` is not a logger, or ``body_limit`` not a number.
    """

    name = "muxi.log"

    def __init__(self, logger: logging.Logger | None = None, *, debug: bool = False, body_limit: int = 2000) -> None:
        if logger is not None and not callable(getattr(logger, "isEnabledFor", None)):
            raise ConfigurationError(
                f"logger= takes a logging.Logger, got {show_value(logger)}; use logging.getLogger(name)"
            )
        check_number("body_limit", body_limit, zero=True)
        self._logger = logger or logging.getLogger("muxi")
        self._body_limit = body_limit
        if debug:
            self._logger.setLevel(logging.DEBUG)
            if not self._logger.hasHandlers():
                handler = logging.StreamHandler(sys.stderr)
                handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
                self._logger.addHandler(handler)

    @hookimpl(tryfirst=True)
    def muxi_intercept(self, request: Request, context: Context) -> BufferedResponse | None:
        if not self._logger.isEnabledFor(logging.INFO):
            return None
        context.state[self.name] = context.clock.monotonic()
        if self._logger.isEnabledFor(logging.DEBUG):
            from muxi.plugins.bodies import format_request

            self._logger.debug(
                "%s sends %s",
                context.call.label,
                format_request(request, context, self._body_limit),
                extra=_attributes("request", context),
            )
        return None

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        if self._logger.isEnabledFor(logging.INFO):
            self._log_attempt(context, str(response.status), _request_id(response), muxi_status=response.status)
            if self._logger.isEnabledFor(logging.DEBUG):
                from muxi.plugins.bodies import format_response

                self._logger.debug(
                    "%s got %s",
                    context.call.label,
                    format_response(response, context, self._body_limit),
                    extra=_attributes("response", context, muxi_status=response.status),
                )
        return None

    @hookimpl
    def muxi_attempt_failed(self, error: MuxiError, context: Context) -> None:
        # An answer is logged when it arrives.
        if error.answer is None and self._logger.isEnabledFor(logging.INFO):
            self._log_attempt(context, redact_text(f"{error.code}: {error.message}"), None, muxi_code=error.code)

    @hookimpl
    def muxi_retry_scheduled(self, delay: float, error: MuxiError, context: Context) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(
                "%s is retried in %.3f s (after attempt %d: %s)",
                context.call.label,
                delay,
                context.attempt,
                error.code,
                extra=_attributes("wait", context, muxi_delay=delay, muxi_code=error.code),
            )

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        # Other calls have ended with their last attempt, and so has a stream that never opened.
        if isinstance(context.call, StreamCall) and outcome.response and self._logger.isEnabledFor(logging.INFO):
            error = outcome.error
            code = error.code if isinstance(error, MuxiError) else type(error).__name__ if error else ""
            more = {"muxi_code": code} if code else {}
            self._logger.info(
                "%s stream %s after %.3f s",
                context.call.label,
                f"failed with {code}" if code else "was closed" if outcome.left else "ended",
                context.elapsed,
                extra=_attributes("stream_end", context, muxi_seconds=round(context.elapsed, 6), **more),
            )

    def _log_attempt(self, context: Context, outcome: str, request_id: str | None, **more: object) -> None:
        now = context.clock.monotonic()
        # Nothing was sent if a plugin has answered or failed.
        seconds = now - context.state.pop(self.name, now)
        request_id = context.request_id or request_id
        self._logger.info(
            "%s -> %s in %.3f s (attempt %d%s)",
            context.call.label,
            outcome,
            seconds,
            context.attempt,
            f", request {request_id}" if request_id else "",
            extra=_attributes("attempt", context, request_id, muxi_seconds=round(seconds, 6), **more),
        )


def _attributes(event: str, context: Context, request_id: str | None = None, **more: object) -> dict[str, object]:
    """Return the attributes of a record."""
    call = context.call
    return {
        "muxi_event": event,
        "muxi_call": call.operation,
        "muxi_method": call.method,
        "muxi_route": call.path,
        "muxi_attempt": context.attempt,
        "muxi_request_id": request_id or context.request_id,
        **more,
    }


def _request_id(response: Response | AsyncResponse | BufferedResponse) -> str | None:
    """Return the platform's id of the request, searched for at the beginning of the answer."""
    found = re.search(_REQUEST_ID, response.content[:1000]) if isinstance(response, BufferedResponse) else None
    return (found[1] or found[2]).decode() if found else None
