"""One request over several addresses, step by step and without I/O; each colour of transport drives it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from muxi.errors import ConnectionError, MuxiError
from muxi.redact import redact_text
from muxi.transport import AsyncTransport, Body, Headers, IterableBody, Request, Timeouts, Transport
from muxi_transports.failover.addresses import Addresses
from muxi_transports.failover.health import was_not_connected
from muxi_transports.http.wire import parse_origin, split_url

__all__ = ["Policy", "SendTo", "Steps", "send_somewhere"]

T = TypeVar("T", bound=Transport | AsyncTransport)


@dataclass(frozen=True)
class SendTo(Generic[T]):
    """Send this by that transport; the outcome is a response."""

    transport: T
    request: Request
    #: Whether only the status is wanted: the response is then to be closed.
    probe: bool


# Any: the response is of the colour of its transport, and handed through.
Steps: TypeAlias = Generator[SendTo[T], Any, Any]


class Policy(NamedTuple):
    """How a failover transport judges its addresses."""

    health_path: str | None
    health_timeout: float
    #: The statuses by which an address says that it does not work.
    down_statuses: frozenset[int]


class _Unread(IterableBody):
    """A body that can be sent once, with a note on whether it was begun."""

    def __init__(self, body: Body) -> None:
        self.begun = False

        def chunks() -> Generator[bytes, None, None]:
            self.begun = True
            yield from body.chunks()

        super().__init__(chunks, body.length)
        self.repeatable = False


def send_somewhere(request: Request, addresses: Addresses[T], policy: Policy) -> Steps[T]:
    """Send to the first address that can be connected to.

    Raises:
        MuxiError: the first error after a connection was made, or one error about all the addresses.
    """
    base, target = split_url(request.url)
    parse_origin(base)
    body = request.body
    once = _Unread(body) if body is not None and not body.repeatable else None
    clock = addresses.clock
    began = clock.monotonic()
    tried: list[tuple[str, MuxiError]] = []
    for index in addresses.next_order():
        address = addresses.entries[index]
        transport = address.slot.get()
        left = _left(request.timeouts, clock.monotonic() - began)
        if left is None:
            break  # what was tried has used up the time of the whole attempt
        claimed = addresses.claim(index)
        known = False
        try:
            if policy.health_path is not None and (claimed or addresses.is_doubtful(index)):
                error = yield from _ask(transport, address.base, policy, left)
                if error is not None:
                    known = True
                    addresses.failed(index, error.message)
                    tried.append((address.url, error))
                    continue
            left = _left(request.timeouts, clock.monotonic() - began) or left
            moved = replace(
                request,
                url=address.base + target,
                headers=_headers(request.headers, base),
                body=once or body,
                timeouts=left,
            )
            try:
                response = yield SendTo(transport, moved, probe=False)
            except MuxiError as error:
                known = True
                addresses.raised(index, error)
                if not was_not_connected(error):
                    error.details.setdefault("address", address.url)
                    raise
                tried.append((address.url, error))
                if once is not None and once.begun:
                    break
                continue
            known = True
            if response.status in policy.down_statuses:
                addresses.failed(index, f"it answered {response.status}", response.retry_after(clock.time()))
            else:
                addresses.succeeded(index)
            return response
        finally:
            if claimed and not known:
                addresses.release(index)
    raise _about_all(tried, untried=len(addresses.entries) - len(tried))


def _ask(transport: T, base: str, policy: Policy, left: Timeouts) -> Generator[SendTo[T], Any, MuxiError | None]:
    """Ask an address for its health; the error is what is wrong with it."""
    seconds = min(policy.health_timeout, policy.health_timeout if left.total is None else left.total)
    bounds = Timeouts(connect=seconds, read=seconds, total=seconds)
    request = Request("GET", f"{base}{policy.health_path}", timeouts=bounds)
    try:
        response = yield SendTo(transport, request, probe=True)
    except MuxiError as error:
        return error
    if response.status < 500:
        return None
    return ConnectionError(
        "UNHEALTHY", f"its health check answered {response.status}", response.status, connected=False
    )


def _headers(headers: Headers, base: str) -> Headers:
    """The headers, without a ``Host`` that names the origin which is replaced."""
    host = headers.get("host")
    if host is None or host.lower() != base.rpartition("//")[2].rpartition("@")[2].lower():
        return headers
    moved = headers.copy()
    del moved["host"]
    return moved


def _left(timeouts: Timeouts, elapsed: float) -> Timeouts | None:
    """The bounds with what is left of the whole; None where nothing is."""
    if timeouts.total is None or elapsed <= 0:
        return timeouts
    left = timeouts.total - elapsed
    return replace(timeouts, total=left) if left > 0 else None


def _about_all(tried: list[tuple[str, MuxiError]], untried: int) -> MuxiError:
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
