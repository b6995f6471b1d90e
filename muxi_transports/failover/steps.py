"""One request over several addresses, as steps without I/O."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from muxi.errors import ConnectionError, MuxiError
from muxi.redact import keys_in, redact_text
from muxi.transport import (
    AsyncTransport,
    Body,
    Close,
    Forward,
    Headers,
    IterableBody,
    Request,
    SendSteps,
    Step,
    Timeouts,
    Transport,
)
from muxi.transport.causes import redact_error
from muxi.transport.plaintext import warn_of_key
from muxi_transports.failover.addresses import Addresses, FailoverAddress
from muxi_transports.failover.health import was_not_connected
from muxi_transports.http.wire import parse_origin, split_url

__all__ = ["FailoverPolicy", "send_somewhere"]

T = TypeVar("T", bound=Transport | AsyncTransport)


class FailoverPolicy(NamedTuple):
    """The settings by which a failover transport judges its addresses."""

    health_path: str | None
    health_timeout: float
    #: The statuses by which an address says that it does not work.
    down_statuses: frozenset[int]


class _WatchedBody(IterableBody):
    """A body that can be sent once. It notes whether sending it has begun."""

    def __init__(self, body: Body) -> None:
        self.begun = False

        def chunks() -> Generator[bytes, None, None]:
            self.begun = True
            yield from body.chunks()

        super().__init__(chunks, body.length)
        self.repeatable = False


def send_somewhere(request: Request, addresses: Addresses[T], policy: FailoverPolicy) -> SendSteps:
    """Send to the first address that can be connected to.

    Raises:
        MuxiError: the first error after a connection was made, or one error about all the addresses.
    """
    target, host = _split_target(request.url)
    body = request.body
    once = _WatchedBody(body) if body is not None and not body.repeatable else None
    clock = addresses.clock
    began = clock.monotonic()
    tried: list[tuple[str, MuxiError]] = []
    for index in addresses.next_order():
        address = addresses.entries[index]
        transport = address.slot.get()
        left = _reduce_total(request.timeouts, clock.monotonic() - began)
        if left is None:
            break  # what was tried has used up the time of the whole attempt
        claimed = addresses.claim(index)
        settled = False
        try:
            if policy.health_path is not None and (claimed or addresses.is_doubtful(index)):
                error = yield from _check_health(address, transport, policy, left)
                if error is not None:
                    settled = True
                    addresses.failed(index, error.message)
                    tried.append((address.url, error))
                    continue
            left = _reduce_total(request.timeouts, clock.monotonic() - began) or left
            moved = replace(
                request,
                url=address.base + target,
                headers=_drop_old_host(request.headers, host),
                body=once or body,
                timeouts=left,
            )
            if keys_in(moved.headers.items()):
                warn_of_key(moved.url, private=transport.private)
            try:
                response = yield from Forward(transport, moved)
            except MuxiError as error:
                settled = True
                redact_error(error, keys_in(moved.headers.items()))  # its message is logged, and kept as the reason
                addresses.raised(index, error)
                if not was_not_connected(error):
                    error.details.setdefault("address", address.url)
                    raise
                tried.append((address.url, error))
                if once is not None and once.begun:
                    break
                continue
            settled = True
            if response.status in policy.down_statuses:
                addresses.failed(index, f"it answered {response.status}", response.retry_after(clock.time()))
            else:
                addresses.succeeded(index)
            return response
        finally:
            if claimed and not settled:
                addresses.release(index)
    raise _summarise(tried, untried=len(addresses.entries) - len(tried))


def _check_health(
    address: FailoverAddress[T], transport: T, policy: FailoverPolicy, left: Timeouts
) -> Generator[Step[Any], Any, MuxiError | None]:
    """Request the health path of an address; return what is wrong with it, or None."""
    seconds = min(policy.health_timeout, policy.health_timeout if left.total is None else left.total)
    bounds = Timeouts(connect=seconds, read=seconds, total=seconds)
    request = Request("GET", f"{address.base}{policy.health_path}", timeouts=bounds)
    try:
        response = yield from Forward(transport, request)
        yield from Close(response)
    except MuxiError as error:
        return error
    if response.status < 500:
        return None
    return ConnectionError(
        "UNHEALTHY", f"its health check answered {response.status}", response.status, connected=False
    )


def _split_target(url: str) -> tuple[str, str]:
    """The request target of a URL, and the host and port that it names, without a user and password.

    Raises:
        ConfigurationError: it cannot be sent.
    """
    base, target = split_url(url)
    parse_origin(base)
    return target, base.rpartition("//")[2].rpartition("@")[2]


def _drop_old_host(headers: Headers, replaced: str) -> Headers:
    """The headers without a ``Host`` that names the origin which is replaced."""
    host = headers.get("host")
    if host is None or host.lower() != replaced.lower():
        return headers
    moved = headers.copy()
    del moved["host"]
    return moved


def _reduce_total(timeouts: Timeouts, elapsed: float) -> Timeouts | None:
    """The bounds with ``total`` reduced by the time elapsed; None where nothing is left of it."""
    if timeouts.total is None or elapsed <= 0:
        return timeouts
    left = timeouts.total - elapsed
    return replace(timeouts, total=left) if left > 0 else None


def _summarise(tried: list[tuple[str, MuxiError]], untried: int) -> MuxiError:
    """One error for all the addresses that were tried."""
    # Another attempt may go to an address that was not tried, or that may be there by then.
    permanent = not untried and all(isinstance(error, ConnectionError) and error.permanent for _, error in tried)
    listed = "; ".join(f"{url} ({error.message})" for url, error in tried)
    addresses = [{"address": url, "code": error.code, "message": error.message} for url, error in tried]
    if len(tried) == 1:
        # The others were not tried, or there are none: then this is all there is to say.
        only = tried[0][1]
        only.details.setdefault("addresses", addresses)
        if isinstance(only, ConnectionError):
            only.permanent = permanent
        return only
    every = ConnectionError(
        "CONNECTION_FAILED",
        redact_text(f"no connection to any address: {listed}"),
        details={"addresses": addresses},
        connected=False,
        permanent=permanent,
    )
    every.__cause__ = tried[-1][1]
    return every
