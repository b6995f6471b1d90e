"""The soak's counts can fail: clients that are wrong on purpose are caught, each by the verdict on its own mistake."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from muxi import ConnectionError
from tests.soak.hostile.answers import content_of
from tests.soak.hostile.connection import Connection
from tests.soak.hostile.faults import FAULTS, SERVED
from tests.soak.hostile.framings import FRAMINGS, Case, case_at, frame
from tests.soak.hostile.performances import PERFORMANCES
from tests.soak.judge import Ledger, Outcome, Seen, Verdict, judge
from tests.soak.plan import KINDS, Plan, marker_of, plan_of
from tests.soak.processes import serving
from tests.soak.recorded import Chat, read_chat
from tests.soak.workers.calls import failure_of
from tests.soak.workers.driving import drive_threads, outcome_of_text
from tests.soak.workers.results import text_of
from tests.soak.workers.streams import Checker

_SEED = 11
_ALLOWED = 4

# -- decisions -------------------------------------------------------------------------------------------------


def _plan(kind: str, *faults: str) -> Plan:
    by_name = {fault.name: fault for fault in (*FAULTS, SERVED)}
    chosen = tuple(by_name[name] for name in faults)
    return Plan(7, next(it for it in KINDS if it.name == kind), chosen, tuple(bool(it.runs) for it in chosen))


def _verdicts(plan: Plan, seen: int, what: str, **known: object) -> set[Verdict]:
    attempts = [Seen(plan.fault(place).name, plan.is_run(place), f"key {place}") for place in range(seen)]
    outcome = Outcome(7, what, began=10, ended=20, **known)  # type: ignore[arg-type]  # attempts and connected
    return judge(plan, outcome, Ledger({7: attempts}, [(15.0, 15.1)]), _ALLOWED)


def test_there_are_thirty_kinds_of_fault_and_each_can_be_performed() -> None:
    assert len(FAULTS) >= 30
    assert {fault.name for fault in FAULTS} <= set(PERFORMANCES)


def test_a_plan_depends_on_seed_and_number_alone() -> None:
    assert [plan_of(1, number) for number in range(50)] == [plan_of(1, number) for number in range(50)]
    assert [plan_of(1, number) for number in range(50)] != [plan_of(2, number) for number in range(50)]


def test_a_refused_call_that_is_given_up_is_lost() -> None:
    assert _verdicts(_plan("note", "429"), 1, "error", attempts=1) == {Verdict.LOST}


def test_a_server_notes_when_it_ends_a_connection_behind_an_answer() -> None:
    async def ended(*, after_answer: bool) -> list[tuple[float, float]]:
        near, far = socket.socketpair()
        near.setblocking(False)
        breaks: list[tuple[float, float]] = []
        connection = Connection(near, breaks)
        with far:
            if after_answer:
                await connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            connection.close()
            connection.close()
        return breaks

    began = time.monotonic()
    ((first, last),) = asyncio.run(ended(after_answer=True))
    assert began <= first <= last <= time.monotonic()
    assert asyncio.run(ended(after_answer=False)) == []


def test_a_served_call_that_fails_is_lost() -> None:
    assert _verdicts(_plan("note"), 1, "error", attempts=1) == {Verdict.LOST}


def test_a_call_that_is_not_safe_is_not_lost_when_nobody_knows_whether_it_ran() -> None:
    assert _verdicts(_plan("note", "reset-after-reading"), 1, "error", attempts=1) == set()
    assert _verdicts(_plan("memories", "reset-after-reading"), 1, "error", attempts=1) == {Verdict.LOST}
    assert _verdicts(_plan("chat", "reset-after-reading"), 1, "error", attempts=1) == {Verdict.LOST}


def test_a_call_that_is_not_served_within_its_attempts_is_not_lost() -> None:
    assert _verdicts(_plan("memories", *["502"] * 6), 4, "error", attempts=4) == set()
    assert _verdicts(_plan("memories", *["502"] * 3), 3, "error", attempts=3) == {Verdict.LOST}


def test_a_call_that_was_answered_with_a_failure_is_not_lost() -> None:
    assert _verdicts(_plan("memories", "500-envelope"), 1, "error", attempts=1) == set()


def test_a_call_that_was_never_connected_is_lost_while_attempts_are_left() -> None:
    assert _verdicts(_plan("note"), 0, "error", attempts=1, connected=False) == {Verdict.LOST}
    assert _verdicts(_plan("note"), 0, "error", attempts=4, connected=False) == set()


def test_a_connection_that_broke_unread_is_believed_only_if_the_server_broke_one() -> None:
    broke = Outcome(7, "error", attempts=1, connected=True, began=10, ended=20)
    assert judge(_plan("note"), broke, Ledger({}, [(19.0, 21.0)]), _ALLOWED) == set()
    assert judge(_plan("note"), broke, Ledger({}, [(25.0, 26.0)]), _ALLOWED) == {Verdict.LOST}


def test_work_that_is_done_twice_is_doubled_unless_the_key_joins_it() -> None:
    assert _verdicts(_plan("note", "reset-after-reading"), 2, "own") == {Verdict.DOUBLED}
    assert _verdicts(_plan("chat", "reset-after-reading"), 2, "own") == {Verdict.DOUBLED}
    same = Ledger({7: [Seen("reset-after-reading", True, "one"), Seen("served", True, "one")]})
    assert judge(_plan("chat", "reset-after-reading"), Outcome(7, "own"), same, _ALLOWED) == set()


def test_an_unasked_answer_counts_only_if_it_had_arrived_before_the_call_began() -> None:
    for unasked, expected in ((9.0, {Verdict.REUSED, Verdict.SWAPPED}), (11.0, {Verdict.RACED})):
        ledger = Ledger({7: [Seen("served", True, "", unasked)]})
        assert judge(_plan("memories"), Outcome(7, "other", began=10, ended=20), ledger, _ALLOWED) == expected


def test_only_the_whole_text_with_the_own_marker_is_an_answer() -> None:
    plan = _plan("memories")
    whole = content_of(marker_of(7))
    assert outcome_of_text(plan, whole, 0, 0).what == "own"
    assert outcome_of_text(plan, whole[:-1], 0, 0).what == "partial"
    assert outcome_of_text(plan, "", 0, 0).what == "partial"
    assert outcome_of_text(plan, content_of(marker_of(8)), 0, 0).what == "other"


# -- wrong clients against the server itself -------------------------------------------------------------------


class Client:
    """A client of a few lines, which does one thing wrong."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._before = content_of(marker_of(0))

    def _ask(self, plan: Plan) -> str:
        method, path = ("POST", "/v1/memories") if plan.kind.name == "note" else ("GET", "/v1/memories")
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            connection.request(method, path, headers={"X-Soak-Call": marker_of(plan.number)})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ConnectionError("REFUSED", str(answer.status))
        return text_of(plan.kind.name, json.loads(body)["data"])

    def give_up(self, plan: Plan) -> str:
        """Never repeat anything."""
        try:
            return self._ask(plan)
        except Exception as error:
            raise ConnectionError("GIVEN_UP", "once is enough") from error

    def insist(self, plan: Plan) -> str:
        """Repeat everything, also what may have been done."""
        for _ in range(8):
            try:
                return self._ask(plan)
            except Exception:
                time.sleep(0.001)
        raise ConnectionError("GIVEN_UP", "eight times is enough")

    def let_through(self, plan: Plan) -> str:
        """Let out whatever the library raises."""
        return self._ask(plan)

    def swallow(self, plan: Plan) -> str:
        """Pass every failure for an empty answer."""
        try:
            return self._ask(plan)
        except Exception:
            return ""

    def confuse(self, plan: Plan) -> str:
        """Return the answer before."""
        before, self._before = self._before, self.insist(plan)
        return before


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        (Client.give_up, Verdict.LOST),
        (Client.insist, Verdict.DOUBLED),
        (Client.insist, Verdict.OVERDONE),
        (Client.let_through, Verdict.FOREIGN),
        (Client.swallow, Verdict.SILENT),
        (Client.confuse, Verdict.SWAPPED),
    ],
)
def test_a_wrong_client_is_caught(wrong: Callable[[Client, Plan], str], verdict: Verdict) -> None:
    plans = [plan for plan in (plan_of(_SEED, number) for number in range(400)) if _is_quick(plan)]
    with serving("hostile.server", _SEED, "--calm") as server:
        client = Client(server.url)
        outcomes = drive_threads(plans, lambda plan: wrong(client, plan), failure_of, 1, lambda: None)
        ledger = Ledger.from_json(server.ask("ledger"))
    caught = [judge(plan, outcome, ledger, _ALLOWED) for plan, outcome in zip(plans, outcomes, strict=True)]
    assert any(verdict in each for each in caught)


def _is_quick(plan: Plan) -> bool:
    return plan.kind.name in ("memories", "note") and all(
        fault.weight >= 0.1 and fault.name not in ("unasked-later", "byte-by-byte") for fault in plan.faults
    )


# -- cut streams -----------------------------------------------------------------------------------------------

_BODY = b"".join(
    b'data: {"token": {"type": "%b", "content": "%b"}}\n\n' % it
    for it in ((b"content", b"Hel"), (b"content", b"lo"), (b"completed", b"Hello!"))
)


@pytest.fixture
def chat() -> Chat:
    return read_chat("hello", _BODY + b"event: done\ndata: {}\n\n")


def test_the_text_of_a_cut_stream_is_that_of_the_frames_that_arrived(chat: Chat) -> None:
    ends = [0, *chat.ends]
    assert [chat.text_at(end) for end in ends] == ["", "Hel", "Hello", "Hello!", "Hello!"]
    assert [chat.text_at(end - 1) for end in ends[1:]] == ["", "Hel", "Hello", "Hello!"]
    assert [chat.is_whole_at(end) for end in ends] == [False, False, False, False, True]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_what_has_arrived_of_a_framed_stream_is_known_at_every_byte(chat: Chat, framing: str) -> None:
    framed = frame(chat, framing)
    arrived = [framed.arrived(cut) for cut in range(len(framed.wire) + 1)]
    assert arrived[0] == 0
    assert arrived[-1] == len(chat.body)
    assert arrived == sorted(arrived)


def test_every_stream_is_cut_at_every_byte_in_every_framing_and_both_ways(chat: Chat) -> None:
    framed = {(0, framing): frame(chat, framing) for framing in FRAMINGS}
    total = 2 * sum(len(it.wire) + 1 for it in framed.values())
    cases = {case_at(framed, place) for place in range(total)}
    assert len(cases) == total
    assert all(Case.parse(str(case)) == case for case in cases)


@pytest.mark.parametrize(
    ("cut", "result"),
    [
        (60, ("Hel", None)),
        (60, ("", ValueError("foreign"))),
        (10_000, ("Hel", None)),
    ],
)
def test_a_cut_stream_that_passes_for_whole_is_caught(chat: Chat, cut: int, result: tuple[str, Exception]) -> None:
    framed = frame(chat, "length")
    checker = Checker({(0, "length"): framed})
    checker.check(Case(0, "length", "fin", min(cut, len(framed.wire))), result)
    assert len(checker.wrong) == 1
