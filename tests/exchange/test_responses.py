"""What comes back is checked against the types of results, without changing or losing any of it."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, fields
from marshmallow.validate import Length, Range

from muxi import (
    AsyncServerClient,
    FormationClient,
    FormationConfig,
    ServerClient,
    ValidationError,
    hookimpl,
    meta,
    types,
)
from muxi.call import Call
from muxi.errors import ConfigurationError
from muxi.schemas import SchemaRegistry, _problems
from muxi.schemas.responses import _schema, response_schema
from muxi.schemas.shapes import KINDS, fits, hints_of, is_record, misfits, options_of, origin_of
from muxi.streaming.call import StreamCall
from tests.answers import Colour, Playback, answer, chat_answer
from tests.formation.methods import calls

MEMORY: dict[str, Any] = {
    "id": "m1",
    "content": "Likes tea",
    "created_at": "",
    "metadata": {},
    "scope": "user",
    "scope_id": None,
}
PAGE = {"memories": [MEMORY], "count": 1}
WRONG = {"memories": [{**MEMORY, "content": 5}], "count": 1, "new": {"kept": True}}


def returned() -> list[str]:
    """The types that the methods of both clients return, by name."""
    server = {
        call.returns
        for name in dir(ServerClient)
        if (call := _called(getattr(ServerClient, name))) and not isinstance(call, StreamCall)
    }
    named = {call.returns for call in calls().values() if not isinstance(call, StreamCall)} | server
    return sorted(name for name in named if name not in (None, "str", "Downloaded"))


def _called(method: Any) -> Call[Any] | None:
    if not hasattr(method, "call"):
        return None
    for arguments in ((), ("my-bot",), ("my-bot", "x"), ("my-bot", "x", "y")):
        try:
            called: Call[Any] = method.call(*arguments)
        except (TypeError, ValidationError):
            continue
        return called
    return None


def test_what_methods_return_is_a_type_with_a_schema() -> None:
    assert len(returned()) > 90
    for name in returned():
        response_schema(name)()


@pytest.mark.parametrize("name", ["ChatRequests", "Call", "os"])
def test_there_is_no_schema_for_what_is_no_answer(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        response_schema(name)


@pytest.mark.parametrize("name", returned())
def test_a_schema_has_the_fields_of_its_type(name: str) -> None:
    hints, required = hints_of(getattr(types, name))
    schema = response_schema(name)()
    assert schema.fields.keys() == hints.keys()
    assert {field for field, made in schema.fields.items() if made.required} == required
    assert schema.unknown == "include"


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


def data_of(hint: Any) -> st.SearchStrategy[Any]:
    """Data as a type has it."""
    options = options_of(hint)
    if len(options) > 1:
        return st.one_of([data_of(option) for option in options])
    hint = options[0]
    if hint in KINDS:
        return st.one_of([st.from_type(kind) for kind in KINDS[hint]])
    if is_record(hint):
        hints, required = hints_of(hint)
        always = {name: data_of(hints[name]) for name in required}
        return st.fixed_dictionaries(
            always, optional={name: data_of(found) for name, found in hints.items() if name not in required}
        )
    if origin_of(hint) is list:
        return st.lists(data_of(hint.__args__[0]), max_size=2)
    if origin_of(hint) is dict:
        return st.dictionaries(st.text(max_size=3), data_of(hint.__args__[1]), max_size=2)
    return JSON


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@pytest.mark.parametrize("name", returned())
@given(data=st.data())
def test_the_quick_look_and_the_schema_say_the_same(name: str, data: st.DataObject) -> None:
    record = getattr(types, name)
    body = data.draw(data_of(record))
    assert fits(record)(body)
    assert response_schema(name)().validate(body) == {}
    if body:
        field = data.draw(st.sampled_from(sorted(body)))
        other = {**body, field: data.draw(JSON)} if data.draw(st.booleans()) else {**body}
        if other == body:
            del other[field]
        assert fits(record)(other) is (response_schema(name)().validate(other) == {})


def test_what_fits_is_handed_over_without_a_word(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    page = colour.run(colour.formation(answer(PAGE), validate_responses="strict").get_memories, "ada")
    assert page == PAGE
    assert not caplog.records


def test_what_does_not_fit_is_handed_over_with_one_warning(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    longer = {**WRONG, "memories": [MEMORY, *WRONG["memories"]]}  # type: ignore[misc]  # a list, by construction
    answers = answer(WRONG), answer(WRONG), answer(longer), answer({"count": 0})
    client = colour.formation(*answers, validate_responses="warn")
    with caplog.at_level(logging.WARNING, "muxi"):
        assert colour.run(client.get_memories, "ada") == WRONG
        assert colour.run(client.get_memories, "ada")["new"] == {"kept": True}
        assert colour.run(client.get_memories, "ada") == longer
    [warned] = caplog.messages
    assert warned.startswith("get_memories (GET /memories): ")
    assert warned.endswith("memories.0.content: Not a text.")
    assert colour.run(client.get_memories, "ada") == {"count": 0}
    assert caplog.messages[1:], "another mismatch is another warning"


def test_the_warning_goes_where_the_client_logs(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    client = colour.formation(answer(WRONG), logger=logging.getLogger("shop.muxi"), validate_responses="warn")
    colour.run(client.get_memories, "ada")
    assert [record.name for record in caplog.records if record.levelno == logging.WARNING] == ["shop.muxi"]


def test_what_does_not_fit_raises_where_that_is_wanted(colour: Colour) -> None:
    client = colour.formation(answer(WRONG), validate_responses="strict")
    with pytest.raises(ValidationError, match=r"memories\.0\.content: Not a text\..*get_memories") as raised:
        colour.run(client.get_memories, "ada")
    error = raised.value
    assert (error.code, error.status_code, error.request_id) == ("INVALID_ANSWER", 200, "req_wire")
    assert error.details["validation_errors"] == [{"field": "memories.0.content", "msg": "Not a text."}]
    assert error.answer is not None
    assert b"kept" in error.answer.body


def test_an_answer_that_does_not_fit_is_not_asked_for_again(colour: Colour) -> None:
    failures: list[Exception] = []

    class Watches:
        @hookimpl
        def muxi_attempt_failed(self, error: Exception) -> None:
            failures.append(error)

    client = colour.formation(answer(WRONG), validate_responses="strict", plugins=[Watches()])
    with pytest.raises(ValidationError):
        colour.run(client.get_memories, "ada")
    assert not failures, "the attempt has not failed"


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_one_call_may_be_looked_at_in_another_way(colour: Colour, mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = colour.formation(answer(WRONG), answer(WRONG), validate_responses="strict")
    assert colour.run(client.with_options(validate_responses=mode).get_memories, "ada") == WRONG
    assert len(caplog.records) == (mode == "warn")
    with pytest.raises(ValidationError):
        colour.run(client.get_memories, "ada")


def test_there_are_three_ways(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match="'warn', 'strict' or 'off', got 'loud'"):
        colour.formation(validate_responses="loud")
    with pytest.raises(ConfigurationError, match="validate_responses="):
        colour.formation().with_options(validate_responses=True)


def test_what_is_missing_in_the_data_is_not_found_in_the_envelope(colour: Colour) -> None:
    data = {"status": "pending", "user_id": "ada", "progress": None, "created_at": 1.0}
    client = colour.formation(answer(data), validate_responses="strict")
    with pytest.raises(ValidationError, match="request_id: Missing data"):
        colour.run(client.get_request_status, "req_1", "ada")


@pytest.mark.parametrize(
    "message",
    [
        {"request_id": "req_1", "status": "processing", "message": "Later.", "workflow_id": "w"},
        {"role": "assistant", "content": "Now.", "metadata": {}},
    ],
)
def test_a_turn_that_goes_on_in_the_background_fits_too(colour: Colour, message: Mapping[str, Any]) -> None:
    data = {"message": message, "user_id": "0", "session_id": None, "request_id": None}
    client = colour.formation(answer(data), validate_responses="strict")
    assert colour.run(client.chat, "Hi")["message"] == message


def test_neither_this_nor_that_is_told_as_the_usual(colour: Colour) -> None:
    data = {"message": {"role": "assistant"}, "user_id": "0", "session_id": None, "request_id": None}
    with pytest.raises(ValidationError) as raised:
        colour.run(colour.formation(answer(data), validate_responses="strict").chat, "Hi")
    fields = [problem["field"] for problem in raised.value.details["validation_errors"]]
    assert fields == ["message.content", "message.metadata"]


class Few(Schema):
    count = fields.Integer(validate=Range(max=0))


class Tightens:
    @hookimpl
    def muxi_register_schemas(self, registry: SchemaRegistry) -> None:
        registry.tighten_response("get_memories", Few)


class Replaces:
    @hookimpl
    def muxi_register_schemas(self, registry: SchemaRegistry) -> None:
        registry.replace_response("get_memories", Few(unknown="exclude"))


def test_a_plugin_tightens_what_is_looked_for(colour: Colour) -> None:
    client = colour.formation(answer(PAGE), answer(WRONG), validate_responses="strict", plugins=[Tightens()])
    with pytest.raises(ValidationError) as raised:
        colour.run(client.get_memories, "ada")
    assert [problem["field"] for problem in raised.value.details["validation_errors"]] == ["count"]
    with pytest.raises(ValidationError) as raised:
        colour.run(client.get_memories, "ada")
    assert {it["field"] for it in raised.value.details["validation_errors"]} == {"count", "memories.0.content"}


def test_a_plugin_replaces_what_is_looked_for(colour: Colour) -> None:
    client = colour.formation(answer({"count": 0}), answer(PAGE), validate_responses="strict", plugins=[Replaces()])
    assert colour.run(client.get_memories, "ada") == {"count": 0}
    with pytest.raises(ValidationError, match="count"):
        colour.run(client.get_memories, "ada")


def test_results_are_never_what_a_schema_makes_of_them(colour: Colour) -> None:
    page = colour.run(colour.formation(answer({**PAGE, "count": 0}), plugins=[Replaces()]).get_memories, "ada")
    assert page == {**PAGE, "count": 0}
    assert meta(page).request_id == "req_wire"


def test_a_plugin_checks_what_the_sdk_does_not_know(colour: Colour) -> None:
    class Own:
        @hookimpl
        def muxi_register_schemas(self, registry: SchemaRegistry) -> None:
            registry.replace_response("own", Few)

    client = colour.formation(answer({"count": 1}), validate_responses="strict", plugins=[Own()])
    with pytest.raises(ValidationError, match=r"count.*\[own \(GET /own\)"):
        colour.run(client.send, Call[Any]("GET", "/own", operation="own"))


def test_what_fits_loads_no_marshmallow() -> None:
    code = (
        "import sys; from muxi import FormationClient\n"
        "client = FormationClient(transport='memory', url='http://memory', client_key='k',\n"
        "  validate_responses='strict')\n"
        "client.add_memory('x', user_id='u'); client.get_memories('u'); client.chat('Hi', user_id='u')\n"
        "print([name for name in sys.modules if name.startswith('marshmallow')])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_a_chat_in_strict_mode(colour: Colour) -> None:
    assert colour.run(colour.formation(chat_answer(), validate_responses="strict").chat, "Hi")["user_id"] == "0"


def test_both_clients_know_the_setting() -> None:
    changed = FormationClient(url="http://x", validate_responses="off").with_options(validate_responses="warn")
    assert isinstance(changed, FormationClient)
    assert FormationConfig().validate_responses == "warn"
    AsyncServerClient(url="http://x", key_id="k", secret_key="s", validate_responses="strict")


class Short(Schema):
    content = fields.String(validate=Length(max=3))


class Page(Schema):
    memories = fields.List(fields.Nested(Short))
    newest = fields.Nested(Short())
    by_name = fields.Dict(values=fields.Nested(Short))
    pair = fields.Tuple((fields.Nested(Short), fields.Integer()))


@pytest.mark.parametrize("schema", [Page, Page()])
def test_what_a_tightening_schema_does_not_know_is_let_through_on_every_level(schema: Any) -> None:
    registry = SchemaRegistry()
    registry.tighten_response("own", schema)
    call = Call[Any]("GET", "/own", operation="own")
    good, long = {"content": "tea", "id": 1}, {"content": "coffee", "id": 1}
    registry.check_response(
        call, {"memories": [good], "newest": good, "by_name": {"a": good}, "pair": (good, 1), "x": 1}, strict=True
    )
    with pytest.raises(ValidationError) as raised:
        registry.check_response(
            call, {"memories": [good, long], "newest": long, "by_name": {"a": long}, "pair": (long, 1)}, strict=True
        )
    assert [it["msg"] for it in raised.value.details["validation_errors"]] == ["Longer than maximum length 3."] * 4
    assert Page().validate({"newest": good}) != {}, "the plugin's own schema is as strict as it was"
    if isinstance(schema, Schema):
        assert schema.validate({"newest": good, "memories": [good]}).keys() == {"newest", "memories"}


def test_a_schema_may_be_nested_in_itself() -> None:
    class Tree(Schema):
        name = fields.String()
        children = fields.List(fields.Nested(lambda: Tree()))

    registry = SchemaRegistry()
    registry.tighten_response("own", Tree)
    call = Call[Any]("GET", "/own", operation="own")
    registry.check_response(call, {"name": "a", "children": [{"name": "b", "size": 1}], "size": 2}, strict=True)
    with pytest.raises(ValidationError, match=r"children\.0\.name"):
        registry.check_response(call, {"children": [{"name": 1}]}, strict=True)


def test_a_field_below_a_name_is_told_by_its_path_in_the_answer(colour: Colour) -> None:
    wrong = {"secrets": {"A": None, "B": "…"}, "count": 2}
    with pytest.raises(ValidationError) as raised:
        colour.run(colour.formation(answer(wrong), validate_responses="strict").get_secrets)
    assert [problem["field"] for problem in raised.value.details["validation_errors"]] == ["secrets.A"]


def test_warnings_about_one_call_come_to_an_end(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    answers = [answer({"secrets": {f"KEY_{number}": None}, "count": 1}) for number in range(30)]
    client = colour.formation(*answers, answer(WRONG), validate_responses="warn")
    for _ in answers:
        colour.run(client.get_secrets)
    assert len(caplog.records) == 20
    colour.run(client.get_memories, "ada")
    assert len(caplog.records) == 21


@pytest.mark.parametrize("hint", [Literal["a"] | None, Annotated[str, int] | None, list[Literal["a"] | None]])
def test_unions_may_have_unions_in_them(hint: Any) -> None:
    record = TypedDict("record", {"field": hint})  # noqa: UP013  the type is a variable
    schema = _schema(record)()
    for value in ("a", None, ["a", None], 1.5):
        assert fits(record)({"field": value}) is (schema.validate({"field": value}) == {})


@pytest.mark.parametrize("mode", ["warn", "off"])
@pytest.mark.parametrize(
    ("method", "arguments", "data", "field"),
    [
        ("wait_for_request", ("req_1", "ada"), {"request_id": "req_1"}, "status"),
        ("wait_for_memory_job", ("rebuild_1",), {"job_id": "rebuild_1"}, "status"),
        ("get_secret", ("KEY",), {"secrets": None, "count": 0}, "secrets"),
        ("chat_parsed", ("As JSON", Few), {"message": "Hi", "user_id": "0"}, "message"),
    ],
)
def test_a_method_of_several_steps_says_which_answer_it_stumbled_over(
    colour: Colour, method: str, arguments: tuple[Any, ...], data: Any, field: str, mode: Any
) -> None:
    client = colour.formation(answer(data), validate_responses=mode)
    with pytest.raises(ValidationError) as raised:
        colour.run(getattr(client, method), *arguments)
    error = raised.value
    assert (error.code, error.status_code, error.request_id) == ("INVALID_ANSWER", 200, "req_wire")
    assert field in {problem["field"] for problem in error.details["validation_errors"]}
    assert isinstance(error.__context__, AttributeError | KeyError | TypeError)


def test_a_memory_with_a_source_is_checked_as_what_it_is(colour: Colour) -> None:
    stored: dict[str, Any] = {"id": "m", "content": {"type": "t", "detail": "d"}, "created_at": "2026", "metadata": {}}
    stored |= {"scope": "user", "scope_id": None}
    taken: dict[str, Any] = {
        "status": "accepted",
        "duplicate": False,
        "event_id": "e",
        "source": "gmail",
        "source_id": None,
    }
    taken |= {"scope": "user", "scope_id": None, "processing_id": "ing_1", "status_url": "/v1/…"}
    client = colour.formation(Playback(answer(stored), answer(taken), answer(taken)), validate_responses="strict")
    assert colour.run(client.add_memory, "tea", user_id="ada") == stored
    assert colour.run(client.add_memory, "tea", user_id="ada", source="gmail") == taken
    with pytest.raises(ValidationError, match="INVALID_ANSWER"):
        colour.run(client.add_memory, "tea", user_id="ada")


@pytest.mark.parametrize("mode", ["warn", "off"])
def test_a_walk_says_so_too(colour: Colour, mode: Any) -> None:
    client = colour.formation(answer({"messages": None}), validate_responses=mode)
    with pytest.raises(ValidationError, match=r"INVALID_ANSWER.*messages: .*get_session_messages"):
        colour.collect(client.iter_session_messages, "s", "ada")


def test_a_mistake_in_a_schema_of_the_caller_is_the_callers(colour: Colour) -> None:
    class Broken:
        def load(self, data: Any) -> Any:
            raise KeyError("mine")

    message = {"role": "assistant", "content": "{}", "metadata": {}}
    data = {"message": message, "user_id": "0", "session_id": None, "request_id": None}
    with pytest.raises(KeyError, match="mine"):
        colour.run(colour.formation(answer(data)).chat_parsed, "As JSON", Broken())


# What is explained once is looked at cheaply afterwards


def test_an_answer_of_a_kind_that_has_been_logged_is_not_explained_again(
    colour: Colour, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    explained = []

    def explain(schema: Schema, data: object) -> list[dict[str, str]]:
        explained.append(data)
        return list(_problems(schema, data))

    monkeypatch.setattr("muxi.schemas._problems", explain)
    many = {"memories": [{**MEMORY, "content": 5}] * 50, "count": 50}
    answers = [*[answer(WRONG)] * 3, answer(many), answer({"memories": []}), answer(PAGE)]
    client = colour.formation(*answers, validate_responses="warn")
    with caplog.at_level(logging.WARNING, "muxi"):
        for _ in range(4):
            colour.run(client.get_memories, "ada")
    assert len(explained) == 1
    assert len(caplog.records) == 1
    with caplog.at_level(logging.WARNING, "muxi"):
        assert colour.run(client.get_memories, "ada") == {"memories": []}
        assert colour.run(client.get_memories, "ada") == PAGE
    assert len(explained) == len(caplog.records) == 2, "another kind of mismatch is explained and logged"


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (PAGE, set()),
        (WRONG, {(".memories.*.content", "int")}),
        ({"memories": [MEMORY, {**MEMORY, "scope_id": 3}]}, {(".memories.*.scope_id", "int"), (".count", "absent")}),
        ({"memories": None, "count": "1"}, {(".memories", "NoneType"), (".count", "str")}),
        ([], {("", "list")}),
    ],
)
def test_the_places_where_data_does_not_fit_are_named(data: object, places: set[tuple[str, str]]) -> None:
    assert set(misfits(types.MemoryPage, data)) == places


@pytest.mark.parametrize("name", returned())
def test_data_has_misfits_exactly_where_it_does_not_fit(name: str) -> None:
    record: Any = getattr(types, name)
    data: Any
    for data in (
        {},
        None,
        [],
        {"data": 1},
        dict.fromkeys(hints_of(record)[0]),
        dict.fromkeys(hints_of(record)[0], 1.5j),
    ):
        assert bool(list(misfits(record, data))) is not fits(record)(data)
