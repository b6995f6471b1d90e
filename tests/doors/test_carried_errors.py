"""Errors come whole out of pickles, copies, queues of JSON and worker processes, and say there what they hold."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from muxi import errors
from muxi.batch.errors import (
    BatchError,
    ExecutorBroken,
    JournalBusy,
    JournalError,
    JournalMismatch,
    OutcomeUnknown,
)
from muxi.errors import (
    ConfigurationError,
    ConnectionError,
    ForeignError,
    ListTruncated,
    MissingExtraError,
    MuxiError,
    NotFoundError,
    PluginError,
    RateLimitError,
    StreamInterrupted,
    TimeoutError,
    TurnFailed,
)
from muxi.plugins.breaker import CircuitOpen
from muxi.webhook import WebhookVerificationError
from muxi_transports.memory.stubs.failures import StubMistake
from muxi_transports.recorded.errors import CassetteError, UnrecordedRequest
from tests.answers import failure, flat
from tests.doors.test_errors import error_of

SPECIAL: list[MuxiError] = [
    RateLimitError("slow", retry_after=7.5, request_id="req_1"),
    ConfigurationError("give url=", {"b": 1}),
    MissingExtraError("pip install 'muxi-client[async]'"),
    ListTruncated("there is more", {"count": 100}),
    PluginError("it failed", plugin="vault", hook="muxi_intercept"),
    ConnectionError("REFUSED", "text", connected=False),
    TimeoutError("TIMEOUT", "text", bound="deadline", connected=False),
    StreamInterrupted("CUT", "text", partial={"role": "assistant", "content": "Hel"}),
    TurnFailed("FAILED", "text", 200, {"c": 1}, partial={"content": "Hel"}),
    error_of(failure(429, retry_after="3")),
    error_of(flat(503, "Formation unavailable", "text", retry_after="3")),
]
KINDS = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, MuxiError)}
#: One of each class, with all that it can carry.
SPECIMENS = [
    *SPECIAL,
    *(
        kind("CODE", "text", 400, {"a": [1]}, "req_1")
        for kind in sorted(KINDS - {type(error) for error in SPECIAL}, key=lambda kind: kind.__name__)
    ),
]
for specimen in SPECIMENS:
    specimen.call, specimen.attempts = "chat (POST /chat)", 2


@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_whole(error: MuxiError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert (str(copy), copy.args) == (str(error), error.args)


def every_class() -> list[type[MuxiError]]:
    """All classes of errors of the package, wherever they are defined."""

    def below(kind: type[MuxiError]) -> list[type[MuxiError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    return [
        kind
        for kind in dict.fromkeys(below(MuxiError))
        if kind.__module__.startswith("muxi") and not kind.__name__.startswith("_")
    ]


OTHERS = [
    WebhookVerificationError("bad", "REPLAYED"),
    CassetteError("broken"),
    UnrecordedRequest("new", None, ["body"]),
    BatchError("ENDED", "ended"),
    OutcomeUnknown("WORKER_LOST", "lost"),
    ExecutorBroken("EXECUTOR_BROKEN", "broken"),
    JournalError("JOURNAL_INVALID", "broken"),
    JournalBusy("JOURNAL_BUSY", "busy"),
    JournalMismatch("JOURNAL_MISMATCH", "of others"),
    StubMistake("no answer"),
]


def test_there_is_one_of_each_class() -> None:
    assert set(every_class()) == {type(error) for error in [*SPECIMENS, *OTHERS, CircuitOpen("OPEN", "open")]}


@pytest.mark.parametrize("error", [*SPECIMENS, *OTHERS], ids=lambda error: type(error).__name__)
def test_errors_survive_as_json_as_queues_carry_them(error: MuxiError) -> None:
    copy = type(error)(*json.loads(json.dumps(error.args)))
    assert (type(copy), copy.code, copy.message) == (type(error), error.code, error.message)
    assert (copy.status_code, copy.request_id) == (error.status_code, error.request_id)
    for name in ("connected", "permanent", "bound", "plugin", "hook"):
        assert getattr(copy, name, None) == getattr(error, name, None)
    if isinstance(error, RateLimitError):
        assert copy.retry_after == error.retry_after


def test_every_class_with_a_constructor_of_its_own_says_what_it_is_made_of() -> None:
    """Otherwise its arguments are those that it was given by position, and the request id is lost."""
    ours = {kind for found in every_class() for kind in found.__mro__ if kind.__module__.startswith("muxi")}
    assert [kind.__name__ for kind in ours if "__init__" in vars(kind) and "_arguments" not in vars(kind)] == []


def test_so_does_what_was_learnt_of_an_error_later() -> None:
    error = NotFoundError("GONE", "gone", 404)
    error.message, error.request_id = "gone; and more", "req_2"
    copy = type(error)(*json.loads(json.dumps(error.args)))
    assert (copy.message, copy.request_id) == ("gone; and more", "req_2")


def with_cause(cause: BaseException) -> MuxiError:
    try:
        try:
            raise cause
        except BaseException as caught:
            raise NotFoundError("GONE", "gone", 404) from caught
    except NotFoundError as error:
        return error


class Library(Exception):
    """An exception of a library, which holds a request with a key in it."""

    def __init__(self, request: object) -> None:
        super().__init__("it failed: Authorization: signature=hush", request)
        self.request = request


def pickled(error: MuxiError) -> MuxiError:
    again: MuxiError = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    return again


@pytest.mark.parametrize("carry", [pickled, copy.copy, copy.deepcopy])
def test_the_cause_of_an_error_is_carried_without_what_it_holds(carry: Callable[[MuxiError], MuxiError]) -> None:
    cause = carry(with_cause(Library(lambda: "fmc_secret1"))).__cause__
    assert isinstance(cause, ForeignError)
    assert "tests.doors.test_carried_errors.Library: " in str(cause)
    assert "it failed" in str(cause)
    assert "hush" not in repr(cause)
    assert vars(cause) == {}
    again = carry(with_cause(cause)).__cause__
    assert str(again) == str(cause), "an exception that is reduced already is not reduced again"
    refused = carry(with_cause(ConnectionRefusedError(111, "Connection refused"))).__cause__
    assert isinstance(refused, ConnectionRefusedError)
    assert refused.errno == 111
    inner = with_cause(with_cause(ValueError("deep")))
    found = carry(inner).__cause__
    assert isinstance(found, NotFoundError)
    assert "deep" in str(found.__cause__)


def test_a_cause_without_end_is_cut() -> None:
    first = ValueError("1")
    second = ValueError("2")
    first.__cause__, second.__cause__ = second, first
    error = NotFoundError("GONE", "gone")
    error.__cause__ = first
    depth, cause = 0, pickle.loads(pickle.dumps(error)).__cause__  # noqa: S301  our own
    while cause is not None:
        depth, cause = depth + 1, cause.__cause__
    assert depth == 5


class OwnError(NotFoundError):
    """A user's own, with a constructor of its own."""

    def __init__(self, thing: str) -> None:
        super().__init__("OWN", f"no {thing}", 404)
        self.thing = thing


def test_errors_of_users_own_survive_too() -> None:
    copy = pickle.loads(pickle.dumps(OwnError("cat")))  # noqa: S301  our own
    assert (type(copy), copy.thing, str(copy)) == (OwnError, "cat", "OWN: no cat [HTTP 404]")


def fails() -> None:
    try:
        raise ConnectionResetError("the peer has gone")
    except ConnectionResetError as cause:
        raise StreamInterrupted("CUT", "text", 200, request_id="req_1", partial={"content": "Hel"}) from cause


@pytest.mark.slow
def test_errors_come_back_from_worker_processes() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.raises(StreamInterrupted) as caught:
        pool.submit(fails).result(timeout=60)
    error = caught.value
    assert (error.text, error.code, error.message) == ("Hel", "CUT", "text")
    assert (error.status_code, error.request_id) == (200, "req_1")
    # The pool puts the worker's traceback in the place of the cause; the cause stands in it.
    assert "the peer has gone" in str(error.__cause__)
