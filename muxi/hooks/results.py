"""Validation of the results of hooks, and of requests that plugins have changed."""

from __future__ import annotations

import math

from muxi.context import Stop
from muxi.errors import PluginError
from muxi.hooks.registration import Implementation
from muxi.transport import Body, BufferedResponse, Headers, Request, Timeouts

__all__ = ["DECIDING", "check_request", "checked"]

#: The hooks whose results are looked at, and what these can be beside None.
DECIDING: dict[str, tuple[type, ...]] = {
    "muxi_intercept": (BufferedResponse,),
    "muxi_response_received": (BufferedResponse,),
    "muxi_retry_delay": (int, float, Stop),
}


def checked(implementation: Implementation, result: object) -> object:
    """Return the result of a deciding hook; refuse one of another type.

    Raises:
        PluginError: it is not; the message names the plugin, the hook and what was expected.
    """
    hook = implementation.hook
    kinds = DECIDING[hook]
    if not isinstance(result, kinds) or isinstance(result, bool):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise _result_error(
            implementation, f"returned a {type(result).__name__} from {hook}, which takes {names} or None"
        )
    if isinstance(result, float) and not math.isfinite(result):
        raise _result_error(implementation, f"returned {result} from {hook}, which takes a finite number of seconds")
    if isinstance(result, BufferedResponse):
        status: object = result.status
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise _result_error(implementation, f"returned an answer from {hook} with the status {status!r}")
        content: object = result.content
        if not isinstance(content, bytes):
            what = type(content).__name__
            raise _result_error(implementation, f"returned an answer from {hook} whose content is a {what}, not bytes")
    return result


def check_request(implementation: Implementation, request: Request, result: object) -> None:
    """Refuse a request that a plugin has changed into something that cannot be sent.

    Raises:
        PluginError: names the plugin and what is wrong.
    """
    if isinstance(result, Request):
        raise _result_error(
            implementation,
            f"returned a Request from {implementation.hook}, whose result does not count; change the one it is given",
        )
    headers: object = request.headers
    url: object = request.url
    method: object = request.method
    # On the way of every attempt: what is as it was made is found out at once.
    if type(headers) is Headers and type(url) is str and type(method) is str:
        body: object = request.body
        timeouts: object = request.timeouts
        if (body is None or isinstance(body, Body)) and type(timeouts) is Timeouts:
            return
    for name, kinds in _FIELDS:
        value = getattr(request, name)
        if not isinstance(value, kinds):
            expected = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
            what = type(value).__name__
            if name == "headers":
                request.headers = Headers()  # hooks that observe the failure may read them
            raise _result_error(
                implementation, f"has made request.{name} a {what} in {implementation.hook}, not {expected}"
            )


_FIELDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("headers", (Headers,)),
    ("method", (str,)),
    ("url", (str,)),
    ("body", (Body, type(None))),
    ("timeouts", (Timeouts,)),
)


def _result_error(implementation: Implementation, what: str) -> PluginError:
    return PluginError(
        f"the plugin {implementation.plugin!r} {what}", plugin=implementation.plugin, hook=implementation.hook
    )
