"""The metrics: which there are after what has happened, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import gc
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from muxi import AsyncFormationClient, ConfigurationError, MuxiError
from muxi.call import Call
from muxi.plugins import CircuitBreaker, Prometheus, RateLimit, ResponseCache
from tests.answers import AsyncColour, Colour, Playback, answer, chat_events, failure, refused
from tests.hello import HELLO
from tests.plugins.gate import AsyncGate
from tests.scripted import HOLD, Script, Side


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"muxi_{name}", labels)


def test_a_call_its_attempts_and_its_repetitions_are_counted(colour: Colour, registry: CollectorRegistry) -> None:
    playback = Playback(refused(), failure(429, retry_after="2"), answer({}))
    colour.run(colour.formation(playback, plugins=[Prometheus(registry)]).get_memories, "ada")
    assert _value(registry, "calls_total", operation="get_memories", outcome="ok") == 1
    assert _value(registry, "retries_total", operation="get_memories") == 2
    route = {"method": "GET", "route": "/memories"}
    for status in ("ConnectionError", "429", "200"):
        assert _value(registry, "attempts_total", **route, status=status) == 1
    assert _value(registry, "attempt_duration_seconds_count", **route) == 3
    assert _value(registry, "call_duration_seconds_count", operation="get_memories") == 1
    assert (_value(registry, "call_duration_seconds_sum", operation="get_memories") or 0) >= 2
    assert _value(registry, "calls_in_flight", operation="get_memories") == 0


def test_an_outcome_is_the_class_of_the_error(colour: Colour, registry: CollectorRegistry) -> None:
    client = colour.formation(failure(404, "REQUEST_NOT_FOUND"), plugins=[Prometheus(registry)])
    with pytest.raises(MuxiError):
        colour.run(client.get_request_status, "req_7", user_id="ada")
    assert _value(registry, "calls_total", operation="get_request_status", outcome="NotFoundError") == 1


def test_no_id_and_no_user_is_in_any_label(colour: Colour, registry: CollectorRegistry) -> None:
    client = colour.formation(*[answer({})] * 3, plugins=[Prometheus(registry)])
    colour.run(client.get_session_messages, "ses_secret", user_id="ada_secret")
    colour.run(client.send, Call.get("/things/thing_secret"))
    colour.run(client.with_options(idempotency_key="key_secret").chat, "word_secret", user_id="ada_secret")
    labels = {value for family in registry.collect() for sample in family.samples for value in sample.labels.values()}
    assert not [value for value in labels if "secret" in value]
    assert {"/sessions/{session_id}/messages", "custom", "/chat"} <= labels


def test_the_first_event_and_all_events_of_a_stream(side: Side, registry: CollectorRegistry) -> None:
    held = side.open(Script(chat_events("Hello ", "world").content), plugins=[Prometheus(registry)])
    assert _value(registry, "calls_in_flight", operation="chat_stream") == 1
    assert _value(registry, "attempts_total", method="POST", route="/chat", status="200") == 1
    events = held.events()
    assert _value(registry, "stream_events_total", operation="chat_stream") == len(events) > 2
    assert _value(registry, "stream_first_event_seconds_count", operation="chat_stream") == 1
    assert _value(registry, "calls_total", operation="chat_stream", outcome="ok") == 1
    assert _value(registry, "calls_in_flight", operation="chat_stream") == 0


@pytest.mark.parametrize("end", ["close", "drop"])
def test_a_stream_that_is_left_is_in_flight_no_more(side: Side, registry: CollectorRegistry, end: str) -> None:
    held = side.open(Script(HELLO, HOLD), plugins=[Prometheus(registry)])
    held.next()
    getattr(held, end)()
    assert _value(registry, "calls_in_flight", operation="chat_stream") == 0


def test_a_stream_that_breaks_has_its_error_for_an_outcome(side: Side, registry: CollectorRegistry) -> None:
    with pytest.raises(MuxiError):
        side.open(Script(HELLO), plugins=[Prometheus(registry)]).events()
    assert _value(registry, "calls_total", operation="chat_stream", outcome="StreamInterrupted") == 1
    assert _value(registry, "attempts_total", method="POST", route="/chat", status="200") == 1


def test_what_was_not_sent_is_no_attempt_whatever_the_order_of_plugins(
    colour: Colour, registry: CollectorRegistry
) -> None:
    playback = Playback(answer({}), refused())
    metrics, limits = Prometheus(registry), [RateLimit(2, per=9, max_wait=0), CircuitBreaker(1)]
    client = colour.formation(playback, plugins=[metrics, ResponseCache(), *limits], max_retries=0)
    for user in ("ada", "ada", "bob", "cy"):
        with suppress(MuxiError):
            colour.run(client.get_memories, user)
    assert _value(registry, "calls_total", operation="get_memories", outcome="ok") == 2
    refusals = [
        _value(registry, "calls_total", operation="get_memories", outcome=it)
        for it in ("CircuitOpen", "RateLimitError")
    ]
    assert sum(number or 0 for number in refusals) == 1
    statuses = [
        _value(registry, "attempts_total", method="GET", route="/memories", status=it)
        for it in ("200", "ConnectionError")
    ]
    assert statuses == [1, 1]
    assert _value(registry, "attempt_duration_seconds_count", method="GET", route="/memories") == 2


def test_waiting_for_a_limit_is_no_time_of_the_platform(colour: Colour, registry: CollectorRegistry) -> None:
    client = colour.formation(
        answer({}), answer({}), plugins=[Prometheus(registry), RateLimit(1, per=100, max_wait=None)]
    )
    for _ in range(2):
        colour.run(client.get_memories, "ada")
    assert (_value(registry, "attempt_duration_seconds_sum", method="GET", route="/memories") or 0) < 1
    assert (_value(registry, "call_duration_seconds_sum", operation="get_memories") or 0) >= 100


def test_a_task_that_is_cancelled_or_never_finished_is_in_flight_no_more(registry: CollectorRegistry) -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(
            transport=AsyncGate(), plugins=[Prometheus(registry)], url="http://localhost:8001", client_key="k"
        )
        task = asyncio.create_task(client.get_memories("ada"))
        abandoned = client.get_memories("ada")
        abandoned.send(None)
        await asyncio.sleep(0)
        assert _value(registry, "calls_in_flight", operation="get_memories") == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        abandoned.close()
        del abandoned
        gc.collect()

    asyncio.run(scenario())
    assert _value(registry, "calls_in_flight", operation="get_memories") == 0
    assert _value(registry, "calls_total", operation="get_memories", outcome="CancelledError") == 1
    assert _value(registry, "attempts_total", method="GET", route="/memories", status="CancelledError") == 1


def test_clients_share_a_registry_with_an_instance_each_or_one_for_all(registry: CollectorRegistry) -> None:
    shared, colour = Prometheus(registry), AsyncColour()
    Colour().formation(answer({}), plugins=[shared]).get_memories("ada")
    colour.run(colour.formation(answer({}), plugins=[shared]).get_memories, "ada")
    colour.run(colour.formation(answer({}), plugins=[Prometheus(registry)]).get_memories, "ada")
    assert _value(registry, "calls_total", operation="get_memories", outcome="ok") == 3
    colour.end()


def test_prometheus_can_scrape_it(colour: Colour, registry: CollectorRegistry) -> None:
    client = colour.formation(answer({}), plugins=[Prometheus(registry, "shop_agents")])
    colour.run(client.get_memories, "ada")
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{server.server_port}/metrics") as answered:
            text = answered.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name for name in families if not name.endswith("_created")} == {
        "shop_agents_calls",
        "shop_agents_call_duration_seconds",
        "shop_agents_calls_in_flight",
        "shop_agents_retries",
        "shop_agents_attempts",
        "shop_agents_attempt_duration_seconds",
        "shop_agents_stream_first_event_seconds",
        "shop_agents_stream_events",
    }
    samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in _samples(families)}
    assert samples["shop_agents_calls_total", (("operation", "get_memories"), ("outcome", "ok"))] == 1
    buckets = [
        sample.labels["le"]
        for sample in families["shop_agents_call_duration_seconds"].samples
        if sample.name.endswith("_bucket")
    ]
    assert buckets[-1] == "+Inf"
    assert len(buckets) == 16


def _samples(families: dict[str, Any]) -> Iterator[Any]:
    for family in families.values():
        yield from family.samples


def test_other_metrics_of_the_same_names_are_reported_and_nothing_is_left_behind(registry: CollectorRegistry) -> None:
    Counter("muxi_retries", "Of somebody else.", registry=registry)
    with pytest.raises(ConfigurationError, match="other metrics of these names; give another namespace= than 'muxi'"):
        Prometheus(registry)
    Prometheus(registry, "muxi_client")
    assert _value(registry, "calls_in_flight") is None


def test_other_buckets_over_the_same_registry_are_refused(registry: CollectorRegistry) -> None:
    Prometheus(registry, buckets=[1, 2])
    Prometheus(registry, buckets=(1.0, 2.0))
    with pytest.raises(ConfigurationError, match="with other buckets"):
        Prometheus(registry)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"registry": "default"}, "registry= takes a CollectorRegistry, got str"),
        ({"namespace": "my-app"}, "namespace= takes a text of letters"),
        ({"namespace": ""}, "namespace="),
        ({"buckets": ()}, "buckets= takes numbers of seconds in ascending order"),
        ({"buckets": (2, 1)}, "buckets="),
        ({"buckets": (0, 1)}, "buckets= takes a number above 0"),
        ({"name": ""}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Prometheus(**{"registry": CollectorRegistry(), **arguments})
