"""Bundles as the embedded server unpacks them, whatever is in them; and many of them at once."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import ServerClient
from muxi_transports.memory import EmbeddedServer, MemoryTransport
from muxi_transports.memory.server.bundle import Bundle, BundleError, read_bundle
from muxi_transports.memory.server.config import ConfigError, find_config, parse_config
from muxi_transports.memory.server.files import Files
from tests.server.bench import archive

_NAMES = st.lists(st.sampled_from(["bot", "..", ".", "a", "formation.afs", ".env", ""]), min_size=1, max_size=4)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(gzip.compress))
def test_whatever_arrives_is_unpacked_or_refused(content: bytes) -> None:
    try:
        found = read_bundle(content)
    except BundleError as error:
        assert str(error).startswith("failed to")  # noqa: PT017  either is right
        return
    assert isinstance(found, Bundle)


@given(st.lists(_NAMES.map("/".join), max_size=5, unique=True))
def test_nothing_leads_out_of_a_bundle(names: list[str]) -> None:
    try:
        found = read_bundle(archive({name: b"x" for name in names if name}))
    except BundleError:
        return
    for path in found.files:
        assert not path.startswith("/")
        assert ".." not in path.split("/")


@given(st.text(max_size=40))
def test_any_formation_file_is_read_or_refused(text: str) -> None:
    files = Files({"formation.yml": text.encode("utf-8", "replace")})
    try:
        config = parse_config(files, find_config(files))
    except ConfigError as error:
        assert str(error)  # noqa: PT017  either is right
        return
    assert config.id
    assert config.description


@pytest.mark.parametrize("text", ["agents: [{id: a}, b, {name: c}]", "agents:\n- id: a\n- b"])
def test_agents_are_those_of_the_file_and_of_the_folder(text: str) -> None:
    files = Files(
        {
            "formation.afs": f"id: my-bot\ndescription: x\n{text}\n".encode(),
            "agents/c.afs": b"id: see\n",
            "agents/d.yaml": b"name: D\n",
            "agents/notes.txt": b"id: no\n",
        }
    )
    assert parse_config(files, "formation.afs").agents == ("a", "b", "see", "d")


def test_many_deploy_at_once() -> None:
    server = EmbeddedServer(startup_seconds=0.01, shutdown_seconds=0.01)

    def live(number: int) -> str:
        bot = f"bot-{number}"
        bundles = [archive({"b/formation.afs": f"id: {bot}\ndescription: x\nversion: {version}\n"}) for version in "12"]
        transport = MemoryTransport(server)
        with ServerClient(url="http://memory", key_id="k", secret_key="s", transport=transport) as client:
            list(client.deploy_formation_stream(bundles[0]))
            client.update_formation(bot, bundles[1])
            list(client.rollback_formation_stream(bot))
            client.restart_formation(bot)
            client.stop_formation(bot)
            list(client.start_formation_stream(bot))
            status = next(one["status"] for one in client.list_formations()["formations"] if one["id"] == bot)
            client.delete_formation(bot)
            return status

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(live, range(6))) == ["running"] * 6
    assert server.ports.allocated == 0
