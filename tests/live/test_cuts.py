"""Connections that are cut after the request was delivered, and the runtime's own record: nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest

from muxi import ConnectionError, NotFoundError, StreamInterrupted
from tests.live.lab.cutting import CuttingProxy, Moment
from tests.live.probing import Live, new_client, probe

#: How often and when connections are cut: once at each moment, and once in each attempt that a call has.
_CUTS: tuple[tuple[Moment, int], ...] = (*((moment, 1) for moment in get_args(Moment)), ("answered", 4))


@dataclass(frozen=True)
class Effect:
    """A call that has an effect, which is to be found once afterwards."""

    method: str
    #: Makes the call with this client.
    call: Callable[[Live, Any, str], object]
    #: Returns how often it has happened, in the runtime or at its model.
    found: Callable[[Live, str], int]
    #: Whether it is repeated after a cut.
    repeated: bool


def _chat(live: Live, client: Any, name: str) -> object:
    return live("chat", {"message": f"Tell {name}", "session_id": name}, user_id=live.user, on=client)


def _trigger(live: Live, client: Any, name: str) -> object:
    data = {"name": name, "place": {"city": "Rome"}}
    return live("fire_trigger", "hello", data, user_id=live.user, session_id=name, on=client)


def _under_way(live: Live) -> set[str]:
    """The ids of the turns that have not ended.

    Some of other tests never do, and a formation for one user shows those of everybody: the runtime gives up a turn
    that is stuck after ten minutes.
    """
    requests = live("get_requests", live.user)["requests"]
    return {found["request_id"] for found in requests if found["status"] in ("pending", "processing", "running")}


def _turns(live: Live, name: str) -> int:
    """Count the turns of a session by what the user said in it."""
    return sum(found["metadata"]["role"] == "user" for found in live.collect("iter_session_messages", name, live.user))


def _job(live: Live, client: Any, name: str) -> object:
    later = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return live("create_scheduler_job", "one_time", later, name, live.user, on=client)


def _jobs(live: Live, name: str) -> int:
    return sum(job["original_prompt"] == name for job in live("get_scheduler_jobs", live.user)["jobs"])


def _ingestion(live: Live, client: Any, name: str) -> object:
    return live("ingest_memory", name, user_id=name, source="crm", on=client)


def _ingested(live: Live, name: str) -> int:
    """Count the events of a user by removing them: there is no list of them."""
    return int(live("forget_memory_source", name, "crm", rebuild=False)["deleted_events"])


EFFECTS = (
    Effect("chat", _chat, _turns, repeated=True),
    Effect("fire_trigger", _trigger, _turns, repeated=True),
    Effect("create_scheduler_job", _job, _jobs, repeated=True),
    Effect("ingest_memory", _ingestion, _ingested, repeated=False),
)


@pytest.fixture
def proxy(live: Live) -> CuttingProxy:
    """The proxy before the formation of the test."""
    return live.lab.proxies[live.kind]


@probe()
@pytest.mark.parametrize(("moment", "times"), _CUTS)
@pytest.mark.parametrize("effect", EFFECTS, ids=[effect.method for effect in EFFECTS])
def test_what_was_delivered_happens_once(
    live: Live, proxy: CuttingProxy, figures: dict[str, int], effect: Effect, moment: Moment, times: int
) -> None:
    name = f"{effect.method}-{moment.replace(' ', '-')}-{times}-{live.name}"
    client = new_client(live.colour, proxy.url)
    before, others = proxy.cuts, _under_way(live)
    proxy.cut(moment, times)
    lost = not effect.repeated or times > 3
    if lost:
        with pytest.raises(ConnectionError) as caught:
            effect.call(live, client, name)
        assert caught.value.attempts == (4 if effect.repeated else 1)
    else:
        effect.call(live, client, name)
    proxy.cut(moment, 0)
    live("close", on=client)
    assert proxy.cuts - before == (min(times, 4) if effect.repeated else 1)
    # A second turn might begin, and be counted, only when the first has ended.
    live.wait_for(lambda: _under_way(live) - others, lambda left: not left, timeout=120.0)
    found = live.wait_for(lambda: effect.found(live, name), bool)
    _note(figures, proxy.cuts - before, found - 1)
    assert found == 1


@probe()
@pytest.mark.parametrize("moment", get_args(Moment))
def test_a_memory_is_added_once(live: Live, proxy: CuttingProxy, figures: dict[str, int], moment: Moment) -> None:
    if live.kind == "single":
        return  # SQLite keeps no memories
    client = new_client(live.colour, proxy.url)
    # Makes the user known: where the first two requests of one meet, the runtime may answer either with status 500.
    live.collect("iter_memories", live.user)
    proxy.cut(moment)
    with pytest.raises(ConnectionError):
        live("add_memory", f"Once {moment} {live.name}", user_id=live.user, on=client)
    live("close", on=client)
    text = f"Once {moment} {live.name}"
    found = live.wait_for(
        lambda: [found["content"] for found in live.collect("iter_memories", live.user)].count(text), bool
    )
    assert found == 1
    _note(figures, 1, 0)


@probe()
@pytest.mark.parametrize("moment", get_args(Moment))
def test_a_removal_that_was_done_counts_as_done(
    live: Live, proxy: CuttingProxy, figures: dict[str, int], moment: Moment
) -> None:
    name = f"CUT_{moment}_{live.name}".upper().replace("-", "_").replace(" ", "_")
    client = new_client(live.colour, proxy.url)
    live("create_secret", name, "value-0123456789")
    proxy.cut(moment)
    # An empty answer: the repetition has found that the first attempt did it.
    assert live("delete_secret", name, on=client) == {}
    live("close", on=client)
    with pytest.raises(NotFoundError):
        live("get_secret", name)
    _note(figures, 1, 0)


@probe()
@pytest.mark.parametrize("moment", get_args(Moment))
def test_a_stream_is_not_begun_anew(live: Live, proxy: CuttingProxy, figures: dict[str, int], moment: Moment) -> None:
    name = f"stream-{moment.replace(' ', '-')}-{live.name}"
    client = new_client(live.colour, proxy.url)
    proxy.cut(moment)
    message = {"message": f"Tell {name} [[words:20]] [[slow:2]]", "session_id": name}
    with pytest.raises((ConnectionError, StreamInterrupted)):
        live.collect("chat_stream", message, user_id=live.user, on=client)
    live("close", on=client)
    # It may not have begun at all: the runtime forgets a turn whose connection ends in its first second.
    assert _turns(live, name) <= 1
    _note(figures, 1, 0)


def _note(figures: dict[str, int], cuts: int, doubled: int) -> None:
    for what, number in (("connections cut after delivery", cuts), ("effects that were doubled", doubled)):
        figures[what] = figures.get(what, 0) + number
