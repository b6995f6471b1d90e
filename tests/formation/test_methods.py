"""What single methods do beyond sending what they are given."""

from __future__ import annotations

import inspect
import json
from base64 import b64decode
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from muxi import FormationClient, meta
from muxi.clock import ManualClock
from muxi.errors import ConflictError, MuxiError, NotFoundError, ServerError, ValidationError
from tests.answers import Colour, Playback, answer, died, failure, flat
from tests.formation.methods import endpoints

#: The methods of the official SDK, and what they take by position.
OFFICIAL = {
    "add_memory": "user_id mem_type detail",
    "cancel_request": "request_id user_id",
    "clear_all_buffers": "",
    "clear_audit_log": "",
    "clear_session_buffer": "user_id session_id",
    "clear_user_buffer": "user_id",
    "create_credential": "user_id payload",
    "create_scheduler_job": "job_type schedule message user_id",
    "delete_credential": "credential_id user_id",
    "delete_memory": "user_id memory_id",
    "delete_scheduler_job": "job_id",
    "delete_secret": "key",
    "fire_trigger": "name data",
    "get_a2a_config": "",
    "get_agent": "agent_id",
    "get_agents": "",
    "get_async_config": "",
    "get_audit_log": "",
    "get_buffer_stats": "",
    "get_config": "",
    "get_credential": "credential_id user_id",
    "get_formation_info": "",
    "get_llm_settings": "",
    "get_logging_config": "",
    "get_logging_destinations": "",
    "get_mcp_server": "server_id",
    "get_mcp_servers": "",
    "get_mcp_tools": "",
    "get_memories": "user_id limit",
    "get_memory_config": "",
    "get_overlord_config": "",
    "get_overlord_soul": "",
    "get_request_status": "request_id user_id",
    "get_requests": "user_id",
    "get_scheduler_config": "",
    "get_scheduler_job": "job_id",
    "get_scheduler_jobs": "user_id",
    "get_secret": "key",
    "get_secrets": "",
    "get_session": "session_id user_id",
    "get_session_messages": "session_id user_id",
    "get_sessions": "user_id limit",
    "get_sop": "name",
    "get_sops": "",
    "get_status": "",
    "get_trigger": "name",
    "get_triggers": "",
    "get_user_buffer": "user_id",
    "get_user_identifiers_for_user": "user_id",
    "health": "",
    "link_user_identifier": "muxi_user_id identifiers",
    "list_credential_services": "",
    "list_credentials": "user_id",
    "pause_scheduler_job": "job_id",
    "resolve_user": "identifier create_user",
    "restore_session": "session_id user_id messages",
    "resume_scheduler_job": "job_id",
    "set_secret": "key value",
    "stream_events": "user_id",
    "stream_logs": "filters",
    "stream_request": "user_id session_id request_id",
    "unlink_user_identifier": "identifier",
    "update_scheduler_job": "job_id",
}


def test_the_official_order_of_arguments_is_kept() -> None:
    for name, official in OFFICIAL.items():
        parameters = list(inspect.signature(endpoints()[name]._describe).parameters.values())[1:]
        positional = [it.name for it in parameters if it.kind is it.POSITIONAL_OR_KEYWORD]
        if name != "add_memory":  # which looks at what it is given
            assert positional[: len(official.split())] == official.split(), name


def test_code_for_the_official_sdk_adds_the_same_memory(colour: Colour) -> None:
    playback = Playback(answer(), answer())
    client = colour.formation(playback)
    colour.run(client.add_memory, "ada", "preference", "Prefers Go")
    colour.run(client.add_memory, detail="Prefers Go", mem_type="preference", user_id="ada")
    assert playback.header("x-muxi-user-id") == ["ada", "ada"]
    assert playback.body() == {"type": "preference", "detail": "Prefers Go"}
    assert playback.requests[0].body is not None
    assert json.loads(b"".join(playback.requests[0].body.chunks())) == playback.body()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("Tea",), {"detail": "Coffee"}), (("ada", "preference", "Prefers Go"), {})],
)
def test_two_contents_of_a_memory_are_one_too_many(
    colour: Colour, arguments: tuple[str, ...], named: dict[str, str]
) -> None:
    with pytest.raises(ValidationError, match=r"detail: Give 'content' or 'detail', not both\."):
        colour.run(colour.formation(Playback()).add_memory, *arguments, user_id="ada", **named)


class TestSecrets:
    """``set_secret`` creates or updates."""

    def sent(self, playback: Playback) -> list[str]:
        return [f"{request.method} {request.path}" for request in playback.requests]

    def test_one_that_exists_is_updated(self, colour: Colour) -> None:
        playback = Playback(answer({"message": "updated"}))
        assert colour.run(colour.formation(playback).set_secret, "A B", "v") == {"message": "updated"}
        assert self.sent(playback) == ["PUT /v1/secrets/A B"]
        assert playback.body() == {"value": "v"}

    def test_one_that_does_not_exist_is_created(self, colour: Colour) -> None:
        playback = Playback(failure(404, "SECRET_NOT_FOUND"), answer({"message": "created"}))
        assert colour.run(colour.formation(playback).set_secret, "K", "v") == {"message": "created"}
        assert self.sent(playback) == ["PUT /v1/secrets/K", "POST /v1/secrets"]
        assert playback.body() == {"key": "K", "value": "v"}

    def test_one_that_somebody_else_creates_meanwhile_is_updated(self, colour: Colour) -> None:
        playback = Playback(failure(404, "SECRET_NOT_FOUND"), failure(409, "SECRET_EXISTS"), answer({"message": "ok"}))
        assert colour.run(colour.formation(playback).set_secret, "K", "v") == {"message": "ok"}
        assert len(playback.requests) == 3

    def test_it_does_not_go_on_for_ever(self, colour: Colour) -> None:
        playback = Playback(*[failure(404, "SECRET_NOT_FOUND"), failure(409, "SECRET_EXISTS")] * 3)
        with pytest.raises(ConflictError):
            colour.run(colour.formation(playback).set_secret, "K", "v")
        assert playback.steps == []

    def test_another_404_is_what_it_says(self, colour: Colour) -> None:
        playback = Playback(flat(404, "Not Found", "Formation not found"))
        with pytest.raises(NotFoundError, match="Formation not found"):
            colour.run(colour.formation(playback).set_secret, "K", "v")

    def test_an_update_is_repeated_and_a_creation_is_not(self, colour: Colour) -> None:
        playback = Playback(died(), failure(404, "SECRET_NOT_FOUND"), died())
        with pytest.raises(MuxiError):
            colour.run(colour.formation(playback).set_secret, "K", "v")
        assert [request.method for request in playback.requests] == ["PUT", "PUT", "POST"]

    def test_a_value_that_is_no_text_is_not_sent(self, colour: Colour) -> None:
        with pytest.raises(ValidationError, match="value"):
            colour.run(colour.formation(Playback()).set_secret, "K", 5)

    def test_one_is_looked_up_in_the_list(self, colour: Colour) -> None:
        secrets = answer({"secrets": {"MY_KEY_NAME": "abcd••••••••6789"}, "count": 1})
        client = colour.formation(Playback(secrets, secrets))
        assert colour.run(client.get_secret, "my-key name") == {"key": "MY_KEY_NAME", "value": "abcd••••••••6789"}
        with pytest.raises(NotFoundError, match="OTHER") as missing:
            colour.run(client.get_secret, "OTHER")
        assert missing.value.code == "SECRET_NOT_FOUND"


class TestScheduler:
    """A job's owner is in the header, and a new message makes a new job."""

    def test_the_owner_goes_into_the_header(self, colour: Colour) -> None:
        playback = Playback(answer())
        colour.run(colour.formation(playback).create_scheduler_job, "recurring", "0 9 * * 1", "report", "sam")
        assert playback.header("x-muxi-user-id") == ["sam"]
        assert playback.body() == {"type": "recurring", "schedule": "0 9 * * 1", "message": "report"}

    def test_a_new_message_leaves_the_job_with_its_owner(self, colour: Colour) -> None:
        playback = Playback(answer({"user_id": "sam"}), answer({"id": "job_new"}))
        result = colour.run(colour.formation(playback).update_scheduler_job, "job_old", message="new text")
        assert result["id"] == "job_new"
        assert [request.method for request in playback.requests] == ["GET", "PUT"]
        assert playback.header("x-muxi-user-id") == [None, "sam"]
        assert playback.body() == {"message": "new text"}

    @pytest.mark.parametrize("owner", ["sam", "0"])
    @pytest.mark.parametrize("changes", [{"title": "t"}, {"schedule": "0 9 * * 1"}, {"message": "m"}])
    def test_every_change_is_made_in_the_name_of_the_owner(
        self, colour: Colour, changes: dict[str, str], owner: str
    ) -> None:
        playback = Playback(answer({"user_id": owner}), answer({"id": "job_new"}))
        colour.run(colour.formation(playback).update_scheduler_job, "job_old", **changes)
        assert [request.method for request in playback.requests] == ["GET", "PUT"]
        assert playback.header("x-muxi-user-id") == [None, owner]
        assert playback.body() == changes

    @pytest.mark.parametrize(("owner", "user"), [("sam", "ada"), ("sam", ""), ("0", "ada")])
    def test_another_owner_without_a_message_is_refused_before_anything_is_changed(
        self, colour: Colour, owner: str, user: str
    ) -> None:
        playback = Playback(answer({"user_id": owner}))
        with pytest.raises(ValidationError, match="only together with message=") as caught:
            colour.run(colour.formation(playback).update_scheduler_job, "job", title="t", user_id=user)
        assert caught.value.details["validation_errors"][0]["field"] == "user_id"
        assert [request.method for request in playback.requests] == ["GET"]

    @pytest.mark.parametrize(
        ("arguments", "user"),
        [({"message": "m", "user_id": "sam"}, "sam"), ({"message": "m", "user_id": ""}, None)],
    )
    def test_with_owner_and_message_one_request_is_enough(
        self, colour: Colour, arguments: dict[str, str], user: str | None
    ) -> None:
        playback = Playback(answer())
        colour.run(colour.formation(playback).update_scheduler_job, "job", **arguments)
        assert playback.header("x-muxi-user-id") == [user]

    def test_an_update_is_never_repeated(self, colour: Colour) -> None:
        playback = Playback(answer({"user_id": "sam"}), died())
        with pytest.raises(MuxiError):
            colour.run(colour.formation(playback).update_scheduler_job, "job", title="t")
        assert len(playback.requests) == 2

    def test_a_creation_is_repeated_under_its_key(self, colour: Colour) -> None:
        playback = Playback(died(), answer())
        colour.run(colour.formation(playback).create_scheduler_job, "one_time", "2030-01-01T00:00:00Z", "m")
        first, second = playback.header("x-muxi-idempotency-key")
        assert first == second is not None

    def test_a_removal_that_is_repeated_and_finds_nothing_is_done(self, colour: Colour) -> None:
        client = colour.formation(died(), failure(404, "RESOURCE_NOT_FOUND", "Scheduled job 'j' not found"))
        assert colour.run(client.delete_scheduler_job, "j") == {}

    def test_the_jobs_of_all_users_take_the_admin_key(self, colour: Colour) -> None:
        playback = Playback(answer(), answer())
        client = colour.formation(playback)
        colour.run(client.get_scheduler_jobs)
        colour.run(client.get_scheduler_jobs, "sam")
        assert [bool(key) for key in playback.header("x-muxi-admin-key")] == [True, False]
        assert playback.header("x-muxi-user-id") == [None, "sam"]


class TestTriggers:
    """The data may be bare or wrapped."""

    def body(self, colour: Colour, data: Any, **arguments: Any) -> Any:
        playback = Playback(answer({"status": "completed"}))
        colour.run(colour.formation(playback).fire_trigger, "t", data, **arguments)
        return playback.body()

    def test_bare_data_is_wrapped(self, colour: Colour) -> None:
        assert self.body(colour, {"name": "Bo"}) == {"data": {"name": "Bo"}, "use_async": False}

    def test_wrapped_data_is_left_as_it_is(self, colour: Colour) -> None:
        wrapped = {"data": {"name": "Bo"}, "session_id": "s", "use_async": True}
        assert self.body(colour, wrapped) == wrapped

    def test_data_with_a_field_of_that_name_and_others_is_bare(self, colour: Colour) -> None:
        bare = {"data": {"a": 1}, "kind": "x"}
        assert self.body(colour, bare) == {"data": bare, "use_async": False}
        assert self.body(colour, {"data": 5}) == {"data": {"data": 5}, "use_async": False}

    def test_the_mode_is_in_the_body(self, colour: Colour) -> None:
        assert self.body(colour, {}, async_mode=True, session_id="s") == {
            "data": {},
            "use_async": True,
            "session_id": "s",
        }
        assert self.body(colour, {}, async_mode=None) == {"data": {}}

    def test_any_mapping_will_do(self, colour: Colour) -> None:
        data = MappingProxyType(OrderedDict(place=MappingProxyType({"city": "Rome"}), list=(1, 2)))
        assert self.body(colour, data)["data"] == {"place": {"city": "Rome"}, "list": [1, 2]}

    def test_the_id_to_wait_for_comes_with_the_answer(self, colour: Colour) -> None:
        fired = colour.run(colour.formation(answer({"status": "processing"})).fire_trigger, "t", {}, async_mode=True)
        assert fired["request_id"] == "req_wire" == meta(fired).request_id


class TestDistilled:
    """The signature is the caller's to make; the SDK says of what."""

    BATCH = MappingProxyType({"batch_id": "b", "events": ({"user_id": "Grüße"},)})

    def test_what_is_signed_is_what_is_sent(self, colour: Colour) -> None:
        signed: list[bytes] = []

        def sign(message: bytes) -> bytes:
            signed.append(message)
            return b"s" * 64

        clock = ManualClock()
        playback = Playback(answer(), clock=clock)
        client = colour.formation(playback, clock=clock)
        colour.run(client.ingest_distilled, self.BATCH, distillery_id="dist", sign=sign)
        request = playback.request
        assert request.body is not None
        content = b"".join(request.body.chunks())
        at = str(int(clock.time()))
        assert signed == [b"muxi-distillery-v1\n" + at.encode() + b"\ndist\n" + content]
        assert json.loads(content) == {"batch_id": "b", "events": [{"user_id": "Grüße"}]}
        assert request.headers.get("x-distillery-timestamp") == at
        assert request.headers.get("x-distillery-id") == "dist"
        assert b64decode(request.headers.get("x-distillery-signature") or "") == b"s" * 64
        assert request.headers.get("content-type") == "application/json"
        assert request.headers.get("x-muxi-user-id") is None

    def test_the_call_can_be_had_as_a_value(self) -> None:
        call = FormationClient.ingest_distilled.call(
            dict(self.BATCH), distillery_id="d", sign=lambda message: b"s", timestamp=5
        )
        assert call.headers["X-Distillery-Timestamp"] == "5"
        assert call == FormationClient.ingest_distilled.call(
            dict(self.BATCH), distillery_id="d", sign=lambda message: b"s", timestamp=5
        )

    def test_it_is_never_repeated(self, colour: Colour) -> None:
        playback = Playback(died())
        with pytest.raises(MuxiError):
            colour.run(
                colour.formation(playback).ingest_distilled, self.BATCH, distillery_id="d", sign=lambda message: b"s"
            )
        assert len(playback.requests) == 1


def test_an_ingestion_of_any_user_takes_the_admin_key(colour: Colour) -> None:
    playback = Playback(answer(), answer())
    client = colour.formation(playback)
    colour.run(client.get_ingestion_status, "ing_1")
    colour.run(client.get_ingestion_status, "ing_1", "mona")
    assert [bool(key) for key in playback.header("x-muxi-admin-key")] == [True, False]


def test_a_notification_that_reached_nobody_is_an_error_though_it_says_success(colour: Colour) -> None:
    nobody = answer({"delivered": [], "failed": ["webhook"]})
    nobody.status = 502
    playback = Playback(nobody)
    with pytest.raises(ServerError):
        colour.run(colour.formation(playback).send_notification, "bob", "ping")
    assert len(playback.requests) == 1


def test_long_work_has_ten_minutes(colour: Colour) -> None:
    playback = Playback(answer(), answer())
    client = colour.formation(playback)
    colour.run(client.run_tuning)
    colour.run(client.get_tuning)
    assert [request.timeouts.total for request in playback.requests] == [600, 30]
