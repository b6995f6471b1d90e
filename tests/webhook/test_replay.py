"""Deliveries that are played back."""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.errors import ConfigurationError
from muxi.webhook import ReplayGuard, WebhookVerificationError, receive, sign, verify_signature

SECRET, OTHER = "a secret", "another secret"
NOW = 1_795_361_748
BODY = b'{"id":"r","status":"completed"}'


@pytest.fixture
def guard(clock: ManualClock) -> ReplayGuard:
    return ReplayGuard(clock=clock)


def test_a_delivery_is_let_through_once(clock: ManualClock, guard: ReplayGuard) -> None:
    header = sign(BODY, SECRET, NOW)
    assert receive(BODY, header, SECRET, clock=clock, guard=guard).request_id == "r"
    with pytest.raises(WebhookVerificationError, match="received before") as caught:
        receive(BODY, header, SECRET, clock=clock, guard=guard)
    assert caught.value.code == "REPLAYED"
    assert not verify_signature(BODY, header, SECRET, clock=clock, guard=guard)


def test_the_next_attempt_of_the_runtime_is_let_through(clock: ManualClock, guard: ReplayGuard) -> None:
    for later in (0, 1, 3, 7):
        assert verify_signature(BODY, sign(BODY, SECRET, NOW + later), SECRET, clock=clock, guard=guard)


def test_what_is_not_genuine_is_not_remembered(clock: ManualClock, guard: ReplayGuard) -> None:
    assert not verify_signature(BODY, sign(BODY, OTHER, NOW), SECRET, clock=clock, guard=guard)
    assert len(guard) == 0


def rearranged() -> Iterator[tuple[bytes, str]]:
    """The same delivery in other clothes."""
    one, other = (sign(BODY, secret, NOW).partition("v1=")[2] for secret in (SECRET, OTHER))
    for signatures in (f"v1={one}", f"v1={other}", f"v1={other},v1={one}", f"v1={one},v1={'0' * 64}"):
        yield BODY, f"t={NOW},{signatures}"
        yield BODY.replace(b",", b" , "), f"{signatures}, t={NOW}"


def test_a_delivery_in_other_clothes_is_the_same(clock: ManualClock, guard: ReplayGuard) -> None:
    first, *others = rearranged()
    assert verify_signature(*first, [SECRET, OTHER], clock=clock, guard=guard)
    for payload, header in others:
        assert not verify_signature(payload, header, [SECRET, OTHER], clock=clock, guard=guard), header


def test_a_delivery_is_forgotten_once_its_time_alone_refuses_it(clock: ManualClock, guard: ReplayGuard) -> None:
    assert guard.admit(NOW, "a")
    clock.advance(300)
    assert not guard.admit(NOW, "a")
    assert len(guard) == 1
    assert guard.admit(NOW + 300, "b")
    clock.advance(1)
    assert not guard.admit(NOW, "a")
    assert len(guard) == 1


def test_a_delivery_that_is_older_than_the_memory_is_refused(clock: ManualClock) -> None:
    guard = ReplayGuard(60, clock=clock)
    header = sign(BODY, SECRET, NOW - 61)
    assert not verify_signature(BODY, header, SECRET, 300, clock=clock, guard=guard)


def test_a_delivery_from_the_future_is_remembered_until_it_is_past(clock: ManualClock, guard: ReplayGuard) -> None:
    assert guard.admit(NOW + 300, "a")
    clock.advance(500)
    assert not guard.admit(NOW + 300, "a")


def test_a_clock_that_is_set_back_opens_no_door() -> None:
    clocks = [ManualClock(NOW), ManualClock(NOW + 1000), ManualClock(NOW + 10)]

    class Wandering(ManualClock):
        def time(self) -> float:
            return clocks[0].time()

    guard = ReplayGuard(clock=Wandering())
    assert guard.admit(NOW, "a")
    clocks.pop(0)
    assert guard.admit(NOW + 1000, "b")
    clocks.pop(0)
    assert not guard.admit(NOW, "a")
    assert guard.admit(NOW + 10, "c")


def test_the_memory_is_bounded_and_what_was_dropped_counts_as_seen(clock: ManualClock) -> None:
    guard = ReplayGuard(clock=clock, capacity=2)
    assert [guard.admit(NOW - age, name) for age, name in ((3, "a"), (2, "b"), (1, "c"))] == [True] * 3
    assert len(guard) == 2
    assert not guard.admit(NOW - 3, "a")
    # As old as what was dropped: it cannot be known.
    assert not guard.admit(NOW - 3, "d")
    assert not guard.admit(NOW - 2, "b")
    assert guard.admit(NOW, "e")


def test_what_was_dropped_takes_no_memory(clock: ManualClock) -> None:
    class Signature(str):
        """A text that tells when it is gone."""

    guard, signature = ReplayGuard(clock=clock, capacity=1), Signature("a")
    gone = weakref.ref(signature)
    assert guard.admit(NOW, signature)
    del signature
    assert gone() is not None
    assert guard.admit(NOW + 1, "b")
    assert gone() is None


def test_a_guard_goes_by_the_clock_of_the_machine_unless_another_is_given() -> None:
    now = int(time.time())
    guard = ReplayGuard()
    assert guard.admit(now, "a")
    assert not guard.admit(now - 400, "b")


def test_the_first_second_of_all_time_is_as_good_as_any() -> None:
    assert ReplayGuard(clock=ManualClock(0)).admit(0, "a")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork: run it on Linux")
def test_a_fork_while_a_delivery_is_admitted_leaves_the_child_a_guard_that_works(
    clock: ManualClock, guard: ReplayGuard
) -> None:
    with guard._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if guard.admit(NOW, "a") else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("argument", [{"capacity": 0}, {"capacity": "5"}, {"tolerance_seconds": None}])
def test_a_guard_takes_numbers(argument: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(argument))}= takes a"):
        ReplayGuard(**argument)


def test_of_many_threads_one_gets_through(clock: ManualClock, guard: ReplayGuard) -> None:
    start, admitted = threading.Barrier(8), []

    def admit() -> None:
        start.wait(10)
        for number in range(200):
            if guard.admit(NOW, f"{number}"):
                admitted.append(number)

    threads = [threading.Thread(target=admit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(admitted) == list(range(200))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": True}, "capacity= takes a whole number from 1 up, got True"),
        ({"capacity": 1.5}, "capacity= takes a whole number from 1 up, got 1.5"),
        ({"tolerance_seconds": True}, "tolerance_seconds= takes a number from 0 up, got True"),
        ({"tolerance_seconds": -0.5}, "tolerance_seconds= takes a number from 0 up, got -0.5"),
        ({"tolerance_seconds": float("nan")}, "tolerance_seconds= takes a number from 0 up, got nan"),
    ],
)
def test_a_wrong_number_has_these_words(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ReplayGuard(**arguments)
    assert caught.value.message == message


def test_a_guard_may_have_no_tolerance_and_the_smallest_capacity(clock: ManualClock) -> None:
    guard = ReplayGuard(0, capacity=1, clock=clock)
    assert (guard.admit(NOW, "a"), guard.admit(NOW, "a"), guard.admit(NOW - 1, "b")) == (True, False, False)
    assert (guard.admit(NOW + 1, "c"), guard.admit(NOW + 2, "d"), len(guard)) == (True, True, 1)


def test_as_it_is_a_guard_remembers_ten_thousand_deliveries(clock: ManualClock, guard: ReplayGuard) -> None:
    assert all(guard.admit(NOW + 1, f"{number}") for number in range(10_000))
    assert not guard.admit(NOW + 1, "0")
    assert guard.admit(NOW + 2, "another")
    assert len(guard) == 10_000


def test_nothing_of_a_delivery_is_shown(clock: ManualClock, guard: ReplayGuard) -> None:
    guard.admit(NOW, "0123456789abcdef")
    assert repr(guard) == "<ReplayGuard 1 of 10000, 300 s>"


def test_a_guard_is_given_the_signature_of_the_first_secret_whichever_has_matched(clock: ManualClock) -> None:
    class Recording:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def admit(self, timestamp: int, signature: str) -> bool:
            self.asked.append(signature)
            return True

    guard = Recording()
    for secret in (SECRET, OTHER):
        assert verify_signature(BODY, sign(BODY, secret, NOW), [SECRET, OTHER], clock=clock, guard=guard)
    assert guard.asked == [sign(BODY, SECRET, NOW).partition("v1=")[2]] * 2


def test_a_guard_of_ones_own_will_do(clock: ManualClock) -> None:
    class Shared:
        def __init__(self) -> None:
            self.asked: list[tuple[int, str]] = []

        def admit(self, timestamp: int, signature: str) -> bool:
            self.asked.append((timestamp, signature))
            return len(self.asked) == 1

    shared, header = Shared(), sign(BODY, SECRET, NOW)
    assert verify_signature(BODY, header, SECRET, clock=clock, guard=shared)
    assert not verify_signature(BODY, header, SECRET, clock=clock, guard=shared)
    assert shared.asked == [(NOW, header.partition("v1=")[2])] * 2
