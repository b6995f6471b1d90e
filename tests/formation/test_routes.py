"""Every route has a method and every method a route, with the key that the route takes."""

from __future__ import annotations

from collections import Counter
from inspect import getdoc

from muxi.call import Repeat
from muxi.client.endpoints import stream
from muxi.exchange.repeat import REPEATS, repeat_of
from muxi.streaming.call import StreamCall
from tests.formation.methods import calls, endpoints
from tests.formation.routes import PAGES, Route

#: Routes that more than one method means.
SHARED = {
    ("POST", "/chat"): {"chat", "chat_stream"},
    ("POST", "/audiochat"): {"audio_chat", "audio_chat_stream"},
    ("POST", "/memories"): {"add_memory", "ingest_memory"},
}


def test_there_are_as_many_routes_as_the_description_says(routes: list[Route]) -> None:
    assert len(routes) == 105
    assert len({str(route) for route in routes}) == 105


def test_every_route_has_a_method(routes: list[Route]) -> None:
    methods = {(call.method, call.path) for call in calls().values()}
    wanted = {(route.method, route.path) for route in routes} - PAGES
    assert wanted - methods == set()


def test_every_method_has_a_route(routes: list[Route]) -> None:
    known = {(route.method, route.path) for route in routes}
    assert {name: call.label for name, call in calls().items() if (call.method, call.path) not in known} == {}


def test_no_route_has_two_methods_but_those_that_mean_two_things() -> None:
    made = calls()
    often = Counter((call.method, call.path) for call in made.values())
    shared = {
        route: {name for name, call in made.items() if (call.method, call.path) == route}
        for route, count in often.items()
        if count > 1
    }
    assert {route: names for route, names in shared.items() if names != SHARED.get(route)} == {}


def test_every_method_takes_the_key_of_its_route(routes: list[Route]) -> None:
    keys = {(route.method, route.path): route.key for route in routes}
    wrong = {
        name: (call.key, keys[call.method, call.path])
        for name, call in calls().items()
        if call.key is not keys[call.method, call.path]
    }
    assert wrong == {}


def test_a_user_is_asked_for_where_the_route_needs_one_with_either_key(routes: list[Route]) -> None:
    made = {(call.method, call.path): call for call in calls().values()}
    assert [
        str(route) for route in routes if route.user_required and not made[route.method, route.path].user_required
    ] == []


def test_the_parameters_of_a_call_are_those_of_its_path() -> None:
    for name, call in calls().items():
        assert {f"{{{parameter}}}" for parameter in call.params} == {
            part for part in call.path.split("/") if part.startswith("{")
        }, name


def test_every_method_is_in_the_table_of_repetitions() -> None:
    assert {name for name in calls() if name not in REPEATS} == set()


def test_reads_are_safe_and_removals_are_removals(routes: list[Route]) -> None:
    exceptions = {
        "cancel_request": Repeat.SAFE,
        "clear_all_buffers": Repeat.SAFE,
        "clear_audit_log": Repeat.NEVER,
        "clear_session_buffer": Repeat.SAFE,
        "clear_user_buffer": Repeat.SAFE,
        "revoke_distillery": Repeat.SAFE,
    }
    for name, call in calls().items():
        if call.method == "GET":
            assert repeat_of(call) is Repeat.SAFE, name
        if call.method == "DELETE":
            assert repeat_of(call) is exceptions.get(name, Repeat.REMOVAL), name


def test_only_what_the_runtime_honours_goes_by_a_key() -> None:
    keyed = {name for name, call in calls().items() if repeat_of(call) is Repeat.KEYED}
    assert keyed == {"chat", "fire_trigger", "create_scheduler_job"}


def test_what_does_the_work_twice_is_never_repeated() -> None:
    made = calls()
    for name in ("update_scheduler_job", "add_memory", "ingest_memory", "ingest_memories", "ingest_distilled"):
        assert repeat_of(made[name]) is Repeat.NEVER, name
    assert repeat_of(made["update_secret"]) is Repeat.SAFE
    assert repeat_of(made["create_secret"]) is Repeat.NEVER


def test_streams_are_streams() -> None:
    made = calls()
    for name in endpoints(stream):
        assert isinstance(made[name], StreamCall), name


def test_every_method_says_what_it_does_and_by_which_route() -> None:
    for name, endpoint in endpoints().items():
        text = getdoc(endpoint) or ""
        assert text, name
        if (call := calls().get(name)) is not None:
            assert f"{call.method} {call.path}" in text, name
