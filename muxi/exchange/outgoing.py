"""Requests: build the request of an attempt from a call, with its body and timeouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from muxi.call import Call, Limit, check_text, invalid_parameter
from muxi.config import MAX_SECONDS
from muxi.context import MOMENT, Context
from muxi.errors import ConfigurationError, MuxiError, TimeoutError, ValidationError
from muxi.redact import show_value
from muxi.streaming.call import StreamCall
from muxi.streaming.chat import reader_for
from muxi.transport import Body, BytesBody, Headers, Request, Timeouts, as_body

__all__ = [
    "attempt_timeout",
    "body_of",
    "check_by_hand",
    "check_events",
    "check_limits",
    "check_user",
    "keep_deadline",
    "new_request",
]


def new_request(method: str, url: str, context: Context, body: Body | None) -> Request:
    """Build the request of one attempt; each attempt gets a new one, without changes of plugins."""
    call, options = context.call, context.options
    streaming = isinstance(call, StreamCall)
    headers = Headers()
    headers["Accept"] = "text/event-stream" if streaming else "application/json"
    if call.into is not None:
        headers["Accept"] = "*/*"
    if streaming or call.into is not None:
        # A compressing proxy would hold events back until its buffer is full, and hide the length of a file.
        headers["Accept-Encoding"] = "identity"
    if body is not None and call.content is None:
        headers["Content-Type"] = "application/json"
    if call.user_id:
        # HTTP drops white space at the ends of a header anyway; paths and bodies have the same id.
        headers["X-Muxi-User-ID"] = call.user_id.strip()
    for name, value in call.headers.items():
        headers[name] = value
    for name, value in options.headers.items():
        headers[name] = value
    return Request(method, url, headers, body, _timeouts(context, streaming), streaming or call.into is not None)


def _timeouts(context: Context, streaming: bool) -> Timeouts:
    call, options = context.call, context.options
    left = None if options.deadline is None else max(MOMENT, options.deadline - context.elapsed)
    if isinstance(call, StreamCall):
        watchdogs = reader_for(call.events).bounds(options)
        # Silence is no event either: whichever bound is shorter ends the wait.
        read = min((bound for bound in (*watchdogs.values(), left) if bound is not None), default=None)
        connect = options.connect_timeout if left is None else min(options.connect_timeout, left)
        return Timeouts(connect=connect, read=read, total=left, head=attempt_timeout(context), stall=read)
    total = attempt_timeout(context)
    return Timeouts(connect=min(options.connect_timeout, total), read=total, total=total)


def attempt_timeout(context: Context) -> float:
    """Return the seconds for a plain answer, and for the head of a stream or the body of its refusal."""
    total = max(context.options.timeout, context.call.timeout or 0.0)
    deadline = context.options.deadline
    return total if deadline is None else min(total, max(MOMENT, deadline - context.elapsed))


def keep_deadline(request: Request, context: Context) -> None:
    """Shorten the timeouts of a request to the deadline, once plugins have used some of the time.

    Raises:
        TimeoutError: the deadline has passed; nothing is sent.
    """
    deadline = context.options.deadline
    if deadline is None:
        return
    left = deadline - context.elapsed
    if left <= 0:
        raise TimeoutError(
            "DEADLINE",
            f"the call took longer than deadline = {deadline:g} s before it was sent, because of its plugins; raise it "
            "with deadline= on the client or with_options(deadline=…)",
            bound="deadline",
            connected=False,
        )
    left = max(MOMENT, left)
    bounds = request.timeouts
    request.timeouts = Timeouts(
        connect=left if bounds.connect is None else min(bounds.connect, left),
        read=left if bounds.read is None else min(bounds.read, left),
        total=left if bounds.total is None else min(bounds.total, left),
        head=None if bounds.head is None else min(bounds.head, left),
        stall=None if bounds.stall is None else min(bounds.stall, left),
    )


def _kind(value: object) -> str:
    return "a text" if isinstance(value, str) else type(value).__name__


def body_of(call: Call[Any], context: Context) -> Body | None:
    """Return the body of the call's requests, the same for all attempts."""
    if call.content is not None:
        try:
            return as_body(call.content)
        except ConfigurationError:
            takes = "bytes, a path, an iterator of bytes or a function that returns an iterable of bytes"
            raise ValidationError("INVALID_BODY", f"content= takes {takes}, got {_kind(call.content)}") from None
    if call.body is None:
        return None
    body = call.body
    if isinstance(body, dict) and any(_is_padded_id(body.get(name)) for name in _IDS):
        body = {name: value.strip() if name in _IDS and _is_padded_id(value) else value for name, value in body.items()}
    if context.request_id and isinstance(body, dict):
        body = {**body, "request_id": context.request_id}
    return BytesBody(call.payload(body))


#: Fields of a body that name a user, a session, an agent or a group, as arguments and headers do.
_IDS = ("user_id", "session_id", "agent_id", "group_id")


def _is_padded_id(value: object) -> bool:
    return isinstance(value, str) and value != value.strip()


def check_user(call: Call[Any]) -> None:
    """Refuse a call without the user it needs, or with a user id that is not valid text."""
    user: object = call.user_id
    if call.user_required and (user is None or (isinstance(user, str) and not user.strip())):
        raise _bad_user("USER_REQUIRED", "this needs a user: give user_id=")
    if user is None:
        return
    if not isinstance(user, str):
        raise _bad_user("INVALID_PARAMETER", f"user_id takes a text, got {type(user).__name__}")
    check_text("user_id", user)
    if not set(user.strip()).isdisjoint("\r\n\0"):
        raise _bad_user("INVALID_HEADER", "user_id has a line break or a NUL in it")


def check_by_hand(call: Call[Any]) -> None:
    """Refuse headers and a time limit, which callers give to calls made by hand, that cannot be used.

    Raises:
        ValidationError: names the argument.
    """
    if call.headers:
        try:
            Headers(call.headers)
        except MuxiError as error:
            raise invalid_parameter("headers", f"cannot be sent: {error.message}") from None
    seconds: object = call.timeout
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_SECONDS:
        raise invalid_parameter("timeout", f"takes a number of seconds above 0, got {show_value(seconds)}")


def _bad_user(code: str, problem: str) -> ValidationError:
    return ValidationError(code, problem, details={"validation_errors": [{"field": "user_id", "msg": problem}]})


def check_events(call: StreamCall[Any]) -> None:
    """Refuse a stream for which no reader is registered."""
    try:
        reader_for(call.events)
    except KeyError:
        raise ConfigurationError(
            f"no reader is registered for a stream of {call.events!r}; 'frames' reads any"
        ) from None


def check_limits(limits: Mapping[str, Limit], query: Mapping[str, object]) -> None:
    """Check the parameters of a query; those that are None are not sent and not checked.

    Raises:
        ValidationError: ``details["validation_errors"]`` has every wrong one, as ``query.limit``.
    """
    problems = list(_problems(limits, query))
    if problems:
        said = ", ".join(f"{problem['field']}: {problem['msg']}" for problem in problems)
        raise ValidationError("INVALID_PARAMETER", said, details={"validation_errors": problems})


def _problems(limits: Mapping[str, Limit], query: Mapping[str, object]) -> Iterator[dict[str, str]]:
    for name, limit in limits.items():
        value = query.get(name)
        if value is not None and (problem := limit.problem(value)):
            yield {"field": f"query.{name}", "msg": problem}
