"""Commands at a terminal: Ctrl-C cancels a turn and an update, and ends what follows; keys are not echoed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient, ServerClient
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Pause, Served, Turn, serve
from tests.cli.screen import Screen, terminal_environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminal of this kind")


@pytest.fixture
def server() -> EmbeddedServer:
    return EmbeddedServer(key_id="muxi_pk_cli", secret_key="muxi_sk_cli_secret")


@pytest.fixture
def served(server: EmbeddedServer) -> Iterator[Served]:
    with serve(server) as served:
        server.port = served.port
        yield served


@pytest.fixture
def environment(served: Served, home: Path) -> dict[str, str]:
    """The environment of a command at a terminal that talks to the server."""
    return terminal_environment(
        home, MUXI_SERVER_URL=served.url, MUXI_KEY_ID="muxi_pk_cli", MUXI_SECRET_KEY="muxi_sk_cli_secret"
    )


def test_an_update_is_cancelled_after_a_question(
    server: EmbeddedServer, served: Served, environment: dict[str, str], home: Path
) -> None:
    folder = Path("my-bot")
    folder.mkdir()
    (folder / "formation.afs").write_text("schema: 1.0.0\nid: my-bot\nversion: 1.0.0\ndescription: A bot\n")
    with ServerClient(url=served.url, key_id="muxi_pk_cli", secret_key="muxi_sk_cli_secret") as client:
        client.deploy_formation(folder)
        (folder / "formation.afs").write_text("schema: 1.0.0\nid: my-bot\nversion: 2.0.0\ndescription: A bot\n")
        server.fail_starts("my-bot")
        screen = Screen(["deploy", "my-bot"], environment, (40, 100))
        screen.wait_for("packing [########################] 100 %")
        screen.wait_for("Replace the running formation my-bot?")
        screen.type("y")
        screen.wait_for("sending [########################] 100 %")
        screen.wait_for("(1 of 30)")
        screen.interrupt()
        screen.wait_for("Cancel the update of my-bot? The old version stays.")
        screen.type("n")
        screen.wait_for("(2 of 30)")
        screen.interrupt()
        screen.wait_for("Cancel the update of my-bot? The old version stays.")
        screen.type("y")
        screen.wait_for("The update of my-bot is cancelled; the old version stays.")
        assert screen.end() == 130
        with pytest.raises(Exception, match=r"[Nn]o update"):
            client.cancel_update("my-bot")


def test_logs_are_followed_until_ctrl_c(server: EmbeddedServer, environment: dict[str, str]) -> None:
    server.add(EmbeddedFormation("bot"))
    server.print("bot", "before")
    screen = Screen(["logs", "bot", "-f"], environment)
    screen.wait_for("before")
    screen.wait_for("New lines follow")
    server.print("bot", "and after")
    screen.wait_for("and after")
    screen.interrupt()
    assert screen.end() == 130
    assert any("interrupted" in line for line in screen.lines)


def test_a_question_is_cancelled_on_the_formation_too(home: Path) -> None:
    turns: list[Turn] = []

    def agent(turn: Turn) -> Iterator[Any]:
        turns.append(turn)
        yield "This takes "
        yield Pause(600)

    formation = EmbeddedFormation("bot", client_key="fmc_cli_key_0001")
    formation.agent("assistant", agent)
    with serve(formation) as served:
        environment = terminal_environment(home, MUXI_FORMATION_URL=served.url, MUXI_CLIENT_KEY="fmc_cli_key_0001")
        screen = Screen(["ask", "Hello", "-u", "ada"], environment)
        screen.wait_for("This takes")
        screen.interrupt()
        assert screen.end() == 130
        with FormationClient(url=served.url, client_key="fmc_cli_key_0001") as client:
            assert client.get_request_status(turns[0].request_id, "ada")["status"] == "cancelled"


def test_a_secret_is_asked_for_without_an_echo(served: Served, environment: dict[str, str], home: Path) -> None:
    screen = Screen(["profiles", "add", "local"], environment)
    screen.wait_for("Server URL")
    screen.type(served.url)
    screen.wait_for("Key id")
    screen.type("muxi_pk_cli")
    screen.wait_for("Secret key")
    screen.type("muxi_sk_cli_secret")
    screen.wait_for("The profile local is saved")
    assert screen.end() == 0
    assert b"muxi_sk_cli" not in screen.raw
    assert "muxi_sk_cli_secret" in (home / ".muxi/cli/profiles.yaml").read_text()


@pytest.mark.slow
def test_formations_are_watched_until_ctrl_c(server: EmbeddedServer, environment: dict[str, str]) -> None:
    server.add(EmbeddedFormation("first"))
    screen = Screen(["formations", "list", "--watch"], environment)
    screen.wait_for("first")
    server.add(EmbeddedFormation("second"))
    screen.wait_for("second")
    screen.interrupt()
    assert screen.end() == 130


@pytest.mark.slow
def test_the_events_of_a_formation_are_followed(home: Path) -> None:
    formation = EmbeddedFormation("bot", client_key="fmc_cli_key_0001", admin_key="fma_cli_key_0001")
    with serve(formation) as served:
        environment = terminal_environment(home, MUXI_FORMATION_URL=served.url, MUXI_ADMIN_KEY="fma_cli_key_0001")
        screen = Screen(["logs", "--level", "info"], environment, (40, 120))
        screen.wait_for("New events follow")
        with FormationClient(url=served.url, client_key="fmc_cli_key_0001") as client:
            client.chat("Hello", user_id="ada")
        screen.wait_for(" INFO ")
        screen.interrupt()
        assert screen.end() == 130
