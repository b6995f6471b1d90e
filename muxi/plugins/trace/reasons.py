"""The reasons why a call was or was not sent again, as sentences for people."""

from __future__ import annotations

from muxi.call import Repeat
from muxi.context import Context
from muxi.errors import ConnectionError, MuxiError, StreamInterrupted
from muxi.exchange.repeat import is_unknown, may_repeat, repeat_of, was_refused
from muxi.plugins.retry import REASON

__all__ = ["why_not_repeated", "why_repeated"]


def why_repeated(context: Context, error: MuxiError) -> str:
    """Return the reason why another attempt follows a failed one."""
    if was_refused(error):
        if error.answer is None:
            return "no connection was made, so nothing was sent"
        return f"the answer {error.status_code} says that the request was not carried out"
    if is_unknown(error):
        if repeat_of(context.call) is Repeat.KEYED:
            return "it may have been carried out; its idempotency key prevents a second time"
        return f"it may have been carried out, and {_name(context)} is safe to repeat"
    return "the platform does not know the request yet"


def why_not_repeated(context: Context, error: BaseException, *, last: MuxiError | None, asked: bool) -> str:
    """Return the reason why no further attempt followed the last one.

    Args:
        context: context of the call that has failed.
        error: the error that the caller got.
        last: the error of the last attempt; None if no attempt failed.
        asked: whether plugins were asked for a delay after it.
    """
    if not isinstance(error, MuxiError):
        return "the program left the call"
    if last is None or isinstance(error, StreamInterrupted):
        if context.attempt == 0:
            return "nothing was sent"
        return "its events have reached the caller, and are not asked for again"
    request = context.request
    keyed = request is not None and bool(request.headers.get("x-muxi-idempotency-key"))
    body = None if request is None else request.body
    if body is not None and not body.repeatable:
        return "the body is an iterator, which cannot be sent a second time"
    if not may_repeat(repeat_of(context.call), last, keyed=keyed):
        return _why_unsafe(context, last)
    if context.state.get(REASON):
        return str(context.state[REASON])
    if not asked:
        return "the client was being closed"
    if context.options.deadline is not None:
        return f"the wait would have outlasted deadline = {context.options.deadline:g} s"
    return "no plugin asked for another attempt"


def _why_unsafe(context: Context, error: MuxiError) -> str:
    """Return the reason why a call may not be repeated."""
    if isinstance(error, ConnectionError) and error.permanent:
        return "the failure is permanent: another attempt would end in the same way"
    if is_unknown(error):
        without = ", without an idempotency key," if repeat_of(context.call) is Repeat.KEYED else ""
        return f"it may have been carried out, and {_name(context)}{without} is not safe to repeat"
    if error.answer is not None:
        return f"the answer {error.status_code} is final"
    return "another attempt would end in the same way"


def _name(context: Context) -> str:
    return context.call.operation or context.call.label
