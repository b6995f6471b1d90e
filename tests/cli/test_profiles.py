"""Profiles: the files of the platform's command, read and written, and the clients that are made from them."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from muxi import AsyncFormationClient, AsyncServerClient, ConfigurationError, FormationClient, ServerClient
from muxi.profiles import GivenSettings, ProfileStore, ServerProfile, choose, fingerprint
from muxi_transports.memory import Served
from tests.cli.terminal import Terminal

#: As the platform's command writes it: fields in the order of its structures, four spaces, plain RFC 3339 times.
PROFILES = """\
version: "1.0"
default_profile: prod
profiles:
    prod:
        url: https://muxi.example.com
        key_id: muxi_pk_0123456789
        secret_key: muxi_sk_abcdefghij
        added_at: 2026-03-04T05:06:07.123456789+01:00
    staging:
        url: http://staging:7890
        key_id: "0123"
        secret_key: muxi_sk_klmnopqrst
        added_at: 2026-03-05T05:06:07Z
"""
SERVERS = """\
version: "1.0"
default: old
servers:
    old:
        url: http://old:7890
        key_id: muxi_pk_old
        secret_key: muxi_sk_old_secret
        added_at: 2025-01-02T03:04:05.5Z
"""
FORMATIONS = """\
version: "1.0"
formations:
    my-bot:
        default_profile: staging
        default_user_id: ada
        client_key: fmc_saved_client
        admin_key: fma_saved_admin
        added_at: 2026-03-05T05:06:07Z
"""


def write(home: Path, **files: str) -> ProfileStore:
    """Write files of the platform's command."""
    folder = home / ".muxi" / "cli"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return ProfileStore(str(folder))


def test_the_files_are_read_as_they_are(home: Path) -> None:
    store = write(home, profiles=PROFILES, formations=FORMATIONS, defaults='version: "1.0"\nuser_id: bob\n')
    prod, staging = store.profiles().values()
    assert (prod.url, prod.key_id, prod.secret_key) == (
        "https://muxi.example.com", "muxi_pk_0123456789", "muxi_sk_abcdefghij",
    )  # fmt: skip
    assert (prod.added_at, staging.key_id) == ("2026-03-04T05:06:07.123456789+01:00", "0123")
    assert prod.source.endswith("profiles.yaml:4")
    assert store.default_name() == "prod"
    (saved,) = store.formations().values()
    assert (saved.profile, saved.user_id, saved.client_key) == ("staging", "ada", "fmc_saved_client")
    assert store.user() == ("bob", store.path("defaults.yaml") + ":2")
    assert "muxi_sk" not in repr(prod)
    assert "fmc_" not in repr(saved)


def test_what_is_not_there_is_empty(home: Path) -> None:
    store = ProfileStore()
    assert (store.profiles(), store.default_name(), store.formations(), store.user()) == ({}, None, {}, None)


def test_a_change_keeps_the_rest_to_the_letter(home: Path) -> None:
    text = (
        PROFILES.replace("        added_at: 2026-03-05", "        region: eu\n        added_at: 2026-03-05")
        + "theme: 1\n"
    )
    store = write(home, profiles=text)
    store.add(ServerProfile("new", "http://new:7890", "yes", "1e3"))
    store.use("new")
    written = Path(store.path("profiles.yaml"))
    lines = written.read_text()
    for line in ("added_at: 2026-03-04T05:06:07.123456789+01:00", 'key_id: "0123"', "region: eu", "theme: 1"):
        assert line in lines
    loaded: Any = yaml.safe_load(lines)
    assert loaded["version"] == "1.0"
    assert loaded["default_profile"] == "new"
    assert {name: loaded["profiles"]["new"][name] for name in ("url", "key_id", "secret_key")} == {
        "url": "http://new:7890", "key_id": "yes", "secret_key": "1e3",
    }  # fmt: skip
    assert str(loaded["profiles"]["new"]["added_at"])[:2] == "20", "a plain time, as the platform's command reads it"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert list(written.parent.glob(".*")) == [], "no temporary file is left"


def test_a_profile_that_is_added_again_keeps_what_it_does_not_have(home: Path) -> None:
    store = write(home, profiles=PROFILES.replace("    staging:", "        note: keep\n    staging:"))
    store.add(ServerProfile("prod", "https://other", "k", "s"))
    assert "note: keep" in Path(store.path("profiles.yaml")).read_text()
    assert store.get("prod").added_at == "2026-03-04T05:06:07.123456789+01:00"


def test_the_first_profile_is_the_default_and_a_removed_default_is_none(home: Path) -> None:
    store = ProfileStore()
    store.add(ServerProfile("one", "http://one", "k", "s"))
    store.add(ServerProfile("two", "http://two", "k", "s"))
    assert store.default_name() == "one"
    store.remove("one")
    assert (store.default_name(), list(store.profiles())) == (None, ["two"])


def test_the_older_file_is_read_and_its_content_moves_with_the_first_change(home: Path) -> None:
    store = write(home, servers=SERVERS)
    assert (store.default_name(), store.get("old").url) == ("old", "http://old:7890")
    store.add(ServerProfile("new", "http://new", "k", "s"))
    assert (store.default_name(), list(store.profiles())) == ("old", ["old", "new"])
    assert "added_at: 2025-01-02T03:04:05.5Z" in Path(store.path("profiles.yaml")).read_text()
    assert Path(store.path("servers.yaml")).read_text() == SERVERS


@pytest.mark.parametrize(
    "text", ["secret_key: [", "- muxi_sk_abcdefghij\n", "a: muxi_sk_abcdefghij: b\n", b"\xff\xfe\x00"]
)
def test_a_broken_file_is_named_without_its_content(home: Path, text: str | bytes) -> None:
    store = write(home)
    Path(store.path("profiles.yaml")).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError, match=r"profiles\.yaml") as caught:
        store.profiles()
    assert "muxi_sk" not in str(caught.value)


ORDER: list[tuple[dict[str, Any], dict[str, str], dict[str, str]]] = [
    ({}, {}, {"formation_id": "my-bot", "profile": "staging", "server_url": "http://staging:7890"}),
    ({"for_formation": False}, {}, {"profile": "prod", "server_url": "https://muxi.example.com"}),
    ({"profile": "staging"}, {}, {"server_url": "http://staging:7890", "key_id": "0123"}),
    ({}, {"MUXI_PROFILE": "staging"}, {"server_url": "http://staging:7890"}),
    ({}, {"MUXI_SERVER_URL": "http://env", "MUXI_KEY_ID": "k"}, {"server_url": "http://env", "key_id": "k"}),
    ({"profile": "prod"}, {"MUXI_SERVER_URL": "http://env", "MUXI_KEY_ID": "k"}, {"key_id": "muxi_pk_0123456789"}),
    ({"formation_id": "my-bot"}, {}, {"profile": "staging", "client_key": "fmc_saved_client", "user_id": "ada"}),
    ({"formation_id": "my-bot"}, {"MUXI_CLIENT_KEY": "fmc_env"}, {"client_key": "fmc_saved_client"}),
    ({}, {"MUXI_CLIENT_KEY": "fmc_env"}, {"formation_id": "my-bot", "client_key": "fmc_env"}),
    ({"formation_id": "my-bot", "user_id": "eve"}, {}, {"user_id": "eve"}),
    ({}, {"MUXI_FORMATION_URL": "http://alone"}, {"url": "http://alone", "user_id": "bob"}),
    ({"formation_id": "my-bot"}, {"MUXI_FORMATION_URL": "http://alone"}, {"formation_id": "my-bot"}),
]


@pytest.mark.parametrize(("given", "environment", "expected"), ORDER)
def test_settings_are_chosen_in_order(
    home: Path, given: dict[str, Any], environment: dict[str, str], expected: dict[str, str]
) -> None:
    if "url" in expected:
        write(home, defaults="user_id: bob\n")
    store = write(home, profiles=PROFILES, formations=FORMATIONS)
    found = choose(GivenSettings(**given), store, environment)
    assert {name: found.value(name) for name in expected} == expected


def test_a_server_of_the_environment_does_not_get_the_keys_of_a_file(home: Path) -> None:
    store = write(home, profiles=PROFILES)
    found = choose(GivenSettings(), store, {"MUXI_SERVER_URL": "http://elsewhere"})
    assert "secret_key" not in found
    assert "key_id" not in found


def test_a_formations_folder_has_its_id_profile_and_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write(home, profiles=PROFILES, formations=FORMATIONS)
    inner = Path("folder/agents")
    inner.mkdir(parents=True)
    Path("folder/formation.afs").write_text("id: my-bot\ndescription: x\n")
    Path("folder/.muxi").write_text("profile: prod\nregistry: r\nuser_id: carl\n")
    monkeypatch.chdir(inner)
    found = choose(GivenSettings(), store, {})
    assert {name: found.value(name) for name in ("formation_id", "profile", "user_id")} == {
        "formation_id": "my-bot", "profile": "prod", "user_id": "carl",
    }  # fmt: skip
    assert found["profile"].source.endswith("folder/.muxi:1")


def test_all_four_clients_are_made_from_a_profile(home: Path) -> None:
    write(home, profiles=PROFILES, formations=FORMATIONS)
    with FormationClient.from_profile("staging") as formation, ServerClient.from_profile("prod") as server:
        assert repr(formation) == "<FormationClient http://staging:7890/api/my-bot/v1>"
        assert repr(server) == "<ServerClient https://muxi.example.com>"
    with FormationClient.from_profile("prod", formation_id="other", client_key="k", mode="draft") as formation:
        assert repr(formation) == "<FormationClient https://muxi.example.com/draft/other/v1>"

    async def asynchronous() -> list[str]:
        async with (
            AsyncFormationClient.from_profile("staging") as formation,
            AsyncServerClient.from_profile() as server,
        ):
            return [repr(formation), repr(server)]

    pytest.importorskip("aiohttp")
    assert asyncio.run(asynchronous()) == [
        "<AsyncFormationClient http://staging:7890/api/my-bot/v1>",
        "<AsyncServerClient https://muxi.example.com>",
    ]


@pytest.mark.parametrize("cls", [FormationClient, ServerClient])
def test_an_unknown_profile_gets_the_nearest(home: Path, cls: type[FormationClient] | type[ServerClient]) -> None:
    write(home, profiles=PROFILES)
    with pytest.raises(ConfigurationError, match="no profile 'stagin'; did you mean 'staging'"):
        cls.from_profile("stagin")


def test_profiles_are_listed_with_fingerprints(terminal: Terminal, home: Path) -> None:
    write(home, profiles=PROFILES)
    for arguments in (["profiles"], ["profiles", "list", "-o", "json"], ["profiles", "show"], ["doctor"]):
        done = terminal(*arguments)
        assert "muxi_sk_" not in done.out + done.err
        assert fingerprint("muxi_sk_abcdefghij") in done.out
    assert terminal("profiles", "list", "-o", "name").out == "prod\nstaging\n"


def test_a_profile_is_added_after_the_server_took_its_key(terminal: Terminal, home: Path, sandbox: Served) -> None:
    arguments = ["profiles", "add", "local", "--server", sandbox.url, "--key-id", "muxi_pk_cli"]
    refused = terminal(*arguments, given="muxi_sk_wrong\n")
    assert (refused.code, refused.out) == (3, "")
    assert "muxi_sk_wrong" not in refused.err
    assert ProfileStore().profiles() == {}
    done = terminal(*arguments, given="muxi_sk_cli_secret\n")
    assert done.code == 0, done.err
    assert ProfileStore().get("local").secret_key == "muxi_sk_cli_secret"
    assert terminal("formations", "list", "-p", "local", "-o", "name").out == "bot\n"


def test_profiles_are_chosen_and_removed(terminal: Terminal, home: Path) -> None:
    store = write(home, profiles=PROFILES)
    assert terminal("profiles", "use", "staging").code == 0
    assert store.default_name() == "staging"
    assert terminal("profiles", "remove", "prod").code == 2, "it does not ask where no terminal is there to answer"
    assert terminal("profiles", "remove", "prod", "--yes").code == 0
    assert list(store.profiles()) == ["staging"]
    missing = terminal("profiles", "use", "stagin")
    assert missing.code == 4
    assert "did you mean 'staging'?" in missing.err
