"""What a client does, on the standard library's loggers."""

from __future__ import annotations

import logging
import re
import sys

from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_number
from muxi.redact import redact_text
from muxi.streaming.call import StreamCall
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response

__all__ = ["Log"]

#: The platform's id of a request, which stands near the beginning of its envelopes.
_REQUEST_ID = rb'"request"\s*:\s*\{\s*"id"\s*:\s*"([\w-]+)"|"request_id"\s*:\s*"([\w-]+)"'


class Log:
    """``muxi.log``: at INFO a line for each attempt, each wait and each stream's end; at DEBUG what was sent and came.

    A line for an attempt has method, route, status, seconds, the attempt's number and the platform's id of the request,
    in words and as attributes of the record: ``muxi_event``, ``muxi_call``, ``muxi_method``, ``muxi_route``,
    ``muxi_attempt``, ``muxi_request_id``, and where there is one ``muxi_status``, ``muxi_code``, ``muxi_seconds``,
    ``muxi_delay``. Keys appear nowhere, and bodies at DEBUG only, without secrets and cut short.

    Args:
        logger: where to; ``logging.getLogger("muxi")`` if None.
        debug: show it even where the program has not set up any logging.
        body_limit: the most that is shown of a body, in characters; 0 shows none.

    Raises:
        ConfigurationError: ``logger`` is none, or ``body_limit`` no number.
    """

    name = "muxi.log"

    def __init__(self, logger: logging.Logger | None = None, *, debug: bool = False, body_limit: int = 2000) -> None:
        if logger is not None and not callable(getattr(logger, "isEnabledFor", None)):
            raise ConfigurationError(f"logger= takes a logging.Logger, got {logger!r}; use logging.getLogger(name)")
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
            from muxi.plugins.bodies import shown_request

            self._logger.debug(
                "%s sends %s",
                context.call.label,
                shown_request(request, context, self._body_limit),
                extra=_facts("request", context),
            )
        return None

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        if self._logger.isEnabledFor(logging.INFO):
            self._attempt(context, str(response.status), _request_id(response), muxi_status=response.status)
            if self._logger.isEnabledFor(logging.DEBUG):
                from muxi.plugins.bodies import shown_response

                self._logger.debug(
                    "%s got %s",
                    context.call.label,
                    shown_response(response, context, self._body_limit),
                    extra=_facts("response", context, muxi_status=response.status),
                )
        return None

    @hookimpl
    def muxi_attempt_failed(self, error: MuxiError, context: Context) -> None:
        # An answer has had its line already.
        if error.answer is None and self._logger.isEnabledFor(logging.INFO):
            self._attempt(context, redact_text(f"{error.code}: {error.message}"), None, muxi_code=error.code)

    @hookimpl
    def muxi_retry_scheduled(self, delay: float, error: MuxiError, context: Context) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(
                "%s is tried again in %.3f s (after attempt %d: %s)",
                context.call.label,
                delay,
                context.attempt,
                error.code,
                extra=_facts("wait", context, muxi_delay=delay, muxi_code=error.code),
            )

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        # Anything else has ended with its last attempt; a stream that never opened too.
        if isinstance(context.call, StreamCall) and outcome.response and self._logger.isEnabledFor(logging.INFO):
            error = outcome.error
            code = error.code if isinstance(error, MuxiError) else type(error).__name__ if error else ""
            more = {"muxi_code": code} if code else {}
            self._logger.info(
                "%s stream %s after %.3f s",
                context.call.label,
                f"failed with {code}" if code else "was left" if outcome.left else "ended",
                context.elapsed,
                extra=_facts("stream_end", context, muxi_seconds=round(context.elapsed, 6), **more),
            )

    def _attempt(self, context: Context, outcome: str, request_id: str | None, **more: object) -> None:
        now = context.clock.monotonic()
        # Where nothing was sent, because a plugin has answered or failed, no time has passed.
        seconds = now - context.state.pop(self.name, now)
        request_id = context.request_id or request_id
        self._logger.info(
            "%s -> %s in %.3f s (attempt %d%s)",
            context.call.label,
            outcome,
            seconds,
            context.attempt,
            f", request {request_id}" if request_id else "",
            extra=_facts("attempt", context, request_id, muxi_seconds=round(seconds, 6), **more),
        )


def _facts(event: str, context: Context, request_id: str | None = None, **more: object) -> dict[str, object]:
    """What a record has beside its words."""
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
    """The platform's id of the request, without reading the whole answer for it."""
    found = re.search(_REQUEST_ID, response.content[:1000]) if isinstance(response, BufferedResponse) else None
    return (found[1] or found[2]).decode() if found else None
