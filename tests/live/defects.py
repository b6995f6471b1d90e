"""Defects of the runtime, version 1.20260928.0, that probes assert: what it does, and what the SDK makes of it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFECTS", "Defect"]


class Defect(NamedTuple):
    """One defect."""

    #: What the runtime does.
    does: str
    #: What the SDK makes of it.
    sdk: str


_RAISED = "raises `ServerError` and does not repeat: an answer of the platform is an answer"

DEFECTS: dict[str, Defect] = {
    "skills": Defect("answers 500 to each request for skills (a call inside it lacks two arguments)", _RAISED),
    "request feed": Defect("answers 500 to the events of one request (a module that it imports is not there)", _RAISED),
    "silent feeds": Defect(
        "feeds neither events nor logs: the streams open, and only what is published by other means comes",
        "opens the stream and waits, without an idle timeout; `wait_for_request` tells how a request goes",
    ),
    "malformed feeds": Defect(
        "ends the frames of `/events` with the characters `\\n` instead of line feeds",
        "reads the events all the same",
    ),
    "create credential": Defect("answers 500 to each new credential (a method that it calls is not there)", _RAISED),
    "two credentials": Defect(
        "answers 500 where a credential is deleted and the user has two of that service", _RAISED
    ),
    "new user": Defect("answers 500 where identifiers are linked to no user, which should make one", _RAISED),
    "buffers cleared": Defect(
        "clears the buffers of all users, and then answers 500 `MEMORY_BUFFER_CLEARED`",
        "takes it for the success it is",
    ),
    "sqlite memories": Defect("answers 500 to listing, adding and deleting memories in SQLite", _RAISED),
    "sqlite projections": Defect(
        "fails now and then in SQLite to rebuild memories, and to project distilled ones (`no such table`)",
        "raises `JobFailed` with that reason; of a distilled batch, `counts` tells how many failed",
    ),
    "file in the answer": Defect(
        "answers 500 where the answer of a turn has a file, though the turn was done and the file is stored",
        f"{_RAISED}; `chat_stream` has the file, and `get_artifacts` lists it",
    ),
    "memories of others": Defect(
        "deletes a memory of another user", "passes it on: a client key protects no user from another"
    ),
    "lost trigger": Defect(
        "never runs a trigger in the background whose template has no `webhook:`, where the formation streams answers",
        "waits until `timeout=`, and raises `TimeoutError`; the runtime fails the request after 600 s",
    ),
    "workflow keeps running": Defect(
        "reports a turn in the background as running after its completion webhook has come, and fails it after 600 s",
        "`wait_for_request` waits until `timeout=`; the webhook is what tells of the end",
    ),
    "late trigger": Defect(
        "knows the request of a trigger only some tenths of a second after it has answered with its id",
        "takes *not found* for *not found yet* during the first five seconds of `wait_for_request`",
    ),
    "audit log": Defect("writes none of the changes into the audit log but that it was cleared", "lists what is there"),
    "cooperative cancellation": Defect(
        "takes a cancellation with `cancel_request` for a wish: the turn may come to its end, or stay `processing` "
        "by its status until the runtime fails it after 600 s",
        "says so at the method; closing the stream of a turn stops it for certain",
    ),
    "agents remember others": Defect(
        "shows an agent what other users have said to it before, in a turn that answers a question of its own",
        "cannot prevent it; run a formation of its own for each user whose words others must not see",
    ),
    "documents as they are": Defect(
        "shows agents the content of documents in Base64, as it was sent, without decoding it",
        "sends Base64, as the interface of the runtime wants it for every file; voice notes are decoded",
    ),
}
