"""Transports that lead to one place bring an address and keys for clients that are given none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from muxi import ConfigurationError, FormationClient, ServerClient, register_transport
from muxi.transport import Transport
from muxi_transports.faulty import FaultyTransport
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport
from muxi_transports.recorded import RecordedTransport
from muxi_transports.wsgi import WsgiTransport


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORMATION_URL", "SERVER_URL", "FORMATION_ID", "CLIENT_KEY", "ADMIN_KEY", "TRANSPORT"):
        monkeypatch.delenv(f"MUXI_{name}", raising=False)


def test_the_variable_alone_gives_a_formation_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_TRANSPORT", "memory")
    with FormationClient() as formation:
        assert formation.chat("Hello", user_id="ada")["message"]["content"] == "You said: Hello"
        assert formation.get_agents()["count"] == 1


def test_the_name_alone_gives_a_server_that_answers() -> None:
    with ServerClient(transport="memory") as server:
        assert server.list_formations()["total"] == 0


@pytest.mark.parametrize(
    "wrapped",
    [lambda inner: inner, lambda inner: FaultyTransport(inner), lambda inner: FaultyTransport(FaultyTransport(inner))],
    ids=["alone", "wrapped", "wrapped twice"],
)
def test_a_formation_with_keys_of_its_own_brings_them(wrapped: Callable[[Transport], Transport]) -> None:
    world = EmbeddedFormation(client_key="fmc_own", admin_key="fma_own")
    with FormationClient(transport=wrapped(MemoryTransport(world))) as formation:
        assert formation.chat("Hello", user_id="ada")["message"]["content"] == "You said: Hello"
        assert formation.get_status()


def test_a_server_with_keys_of_its_own_brings_them() -> None:
    world = EmbeddedServer(key_id="muxi_pk_own", secret_key="muxi_sk_own")
    with ServerClient(transport=MemoryTransport(world)) as server:
        assert server.list_formations()["total"] == 0


def test_a_key_that_is_given_is_the_one_that_is_sent() -> None:
    from muxi import AuthenticationError

    world = EmbeddedFormation(client_key="fmc_own")
    with (
        FormationClient(transport=MemoryTransport(world), client_key="fmc_wrong") as formation,
        pytest.raises(AuthenticationError),
    ):
        formation.chat("Hello", user_id="ada")


def test_an_address_that_is_given_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_FORMATION_URL", "http://elsewhere")
    assert "http://elsewhere/v1" in repr(FormationClient(transport="memory"))
    assert "http://here/v1" in repr(FormationClient(transport="memory", url="http://here"))


def test_an_application_needs_no_address() -> None:
    def app(environ: object, start_response: object) -> list[bytes]:
        raise AssertionError("not called")

    assert "http://application/v1" in repr(FormationClient(transport=WsgiTransport(app), client_key="k"))


def test_a_network_transport_brings_nothing(tmp_path: object) -> None:
    for transport in ("requests", "urllib3", FaultyTransport("requests"), RecordedTransport(f"{tmp_path}/tape.yaml")):
        with pytest.raises(ConfigurationError, match="where is the formation"):
            FormationClient(transport=transport)


def test_a_registered_transport_can_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi.registry._registered", {})
    world = EmbeddedFormation(client_key="fmc_own")
    register_transport(
        "stage", lambda: MemoryTransport(world), defaults={"url": "http://stage", "client_key": "fmc_own"}
    )
    with FormationClient(transport="stage") as formation:
        assert "http://stage/v1" in repr(formation)
        assert formation.chat("Hello", user_id="ada")["message"]["content"] == "You said: Hello"
