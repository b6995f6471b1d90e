"""What may be sent a second time: by what is known about the failed attempt, never by the verb alone.

``REPEATS`` is the one table of how each operation bears repetition, taken from the wire; the
documentation shows it. :func:`may_repeat` is the decision; when to repeat is for a plugin to say.
"""

from __future__ import annotations

from enum import Enum

from muxi.errors import ConnectionError, MuxiError, RateLimitError, StreamInterrupted, TimeoutError

__all__ = ["REPEATS", "Repeat", "may_repeat", "repeat_of"]


class Repeat(str, Enum):
    """How an operation bears being sent twice."""

    #: It changes nothing, or sets what is already set.
    SAFE = "safe"
    #: It removes something; not finding it the second time means that the first attempt did it.
    REMOVAL = "removal"
    #: The runtime honours an idempotency key on it and answers a repetition with the first answer.
    KEYED = "keyed"
    #: A second time does the work twice.
    NEVER = "never"


REPEATS: dict[str, Repeat] = {
    "health": Repeat.SAFE,
    "chat": Repeat.KEYED,
    "chat_stream": Repeat.NEVER,
    "get_sessions": Repeat.SAFE,
    "get_session": Repeat.SAFE,
    "get_session_messages": Repeat.SAFE,
    "restore_session": Repeat.NEVER,
    "get_memories": Repeat.SAFE,
    "add_memory": Repeat.NEVER,
    "delete_memory": Repeat.REMOVAL,
    "get_user_buffer": Repeat.SAFE,
    "clear_user_buffer": Repeat.SAFE,
    "clear_session_buffer": Repeat.SAFE,
    "clear_all_buffers": Repeat.SAFE,
    "get_buffer_stats": Repeat.SAFE,
    "get_requests": Repeat.SAFE,
    "get_request_status": Repeat.SAFE,
    "cancel_request": Repeat.SAFE,
    "ping": Repeat.SAFE,
    "status": Repeat.SAFE,
    "list_formations": Repeat.SAFE,
    "get_formation": Repeat.SAFE,
    "deploy_formation": Repeat.NEVER,
    "delete_formation": Repeat.REMOVAL,
    "start_formation": Repeat.NEVER,
    "stop_formation": Repeat.NEVER,
    "restart_formation": Repeat.NEVER,
}


def repeat_of(operation: str, method: str) -> Repeat:
    """The table's word on an operation; one that is not in it (a user's own) is safe if it only reads."""
    return REPEATS.get(operation) or (Repeat.SAFE if method in ("GET", "HEAD", "OPTIONS") else Repeat.NEVER)


def may_repeat(repeat: Repeat, error: MuxiError, *, keyed: bool) -> bool:
    """Whether the call may be sent again after this failure of an attempt.

    Args:
        repeat: how the operation bears repetition.
        error: what the attempt ended with.
        keyed: whether the attempt carried an idempotency key.
    """
    if isinstance(error, StreamInterrupted):
        return False
    if was_refused(error):
        return True
    if not is_unknown(error):
        return False
    return repeat in (Repeat.SAFE, Repeat.REMOVAL) or (repeat is Repeat.KEYED and keyed)


def was_refused(error: MuxiError) -> bool:
    """Whether it is certain that nothing was done: no connection, or an answer that says so."""
    if error.answer is None:
        return isinstance(error, ConnectionError | TimeoutError) and not error.connected
    if isinstance(error, RateLimitError) or error.status_code == 401:
        return True
    if error.status_code == 503:
        # The server's proxy, for a formation that is about to be there.
        return error.retry_after is not None or "(status: starting)" in error.message
    return False


def is_unknown(error: MuxiError) -> bool:
    """Whether the request may or may not have been carried out."""
    if error.answer is None:
        return isinstance(error, ConnectionError | TimeoutError)
    if error.status_code in (408, 502, 503, 504):
        return True
    # A 500 in the platform's envelope is an answer; any other 500 comes from something in between.
    return error.status_code == 500 and not error.from_platform
