"""The plugin as users of pytest meet it. Each test is a run of pytest in a process of its own, warnings as errors."""

from __future__ import annotations

import configparser
import json
import os
import re
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import ROOT, Pytest
from tests.requirements import require_module

FIXTURES = {
    "muxi_formation",
    "muxi_async_formation",
    "muxi_server",
    "muxi_async_server",
    "muxi_world",
    "muxi_server_world",
    "muxi_transport",
    "muxi_faults",
    "muxi_clock",
    "muxi_cassette",
}

EVERYTHING = """
import asyncio, os, sys
import pytest
from muxi import FormationClient, AsyncFormationClient, ServerClient, AsyncServerClient

def test_clients(muxi_formation, muxi_server, muxi_world, muxi_server_world, muxi_transport, muxi_clock, muxi_faults):
    assert isinstance(muxi_formation, FormationClient) and isinstance(muxi_server, ServerClient)
    assert muxi_formation.chat("Hi", user_id="ada")["message"]["content"] == "You said: Hi"
    assert [f["id"] for f in muxi_server.list_formations()["formations"]] == ["my-assistant"]
    with muxi_server.formation("my-assistant") as bot:
        assert bot.get_sessions("ada")["count"] == 1
    muxi_transport.assert_called("POST", "/v1/chat", times=1)
    assert muxi_server_world.find("my-assistant") is muxi_world
    assert muxi_world.clock is muxi_clock is muxi_transport.clock
    assert muxi_faults.struck == []

def test_async_clients(muxi_async_formation, muxi_async_server, muxi_transport):
    async def ask():
        async with muxi_async_formation as formation, muxi_async_server as server:
            text = [piece async for piece in formation.chat_stream("Hi", user_id="ada").text()]
            return "".join(text), (await server.list_formations())["formations"][0]["id"]
    assert asyncio.run(ask()) == ("You said: Hi", "my-assistant")
    muxi_transport.assert_called("POST", "/v1/chat", times=1)

def test_clients_of_the_code(muxi_world):
    muxi_world.script({"Hi": "Hello!"})
    clients = [
        FormationClient(),
        FormationClient(url="https://prod.example.com", client_key="fmc_mine"),
        FormationClient(server_url="https://prod.example.com", formation_id="my-assistant"),
        ServerClient().formation("my-assistant"),
    ]
    for client in clients:
        with client:
            assert client.chat("Hi", user_id="ada")["message"]["content"] == "Hello!"

    async def ask():
        async with AsyncFormationClient() as client:
            return (await client.chat("Hi", user_id="ada"))["message"]["content"]
    assert asyncio.run(ask()) == "Hello!"

def test_nothing_stays(muxi_world):
    assert muxi_world.agents.given == {}

def test_without():
    assert not [name for name in os.environ if name.startswith("MUXI_")]
"""


def test_every_fixture_gives_what_it_says(run_pytest: Pytest) -> None:
    run = run_pytest(EVERYTHING)
    assert run.counts == {"passed": 5}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_it_works_in_several_processes(run_pytest: Pytest) -> None:
    run = run_pytest(EVERYTHING, "-p", "xdist", "-n", "2")
    assert run.counts == {"passed": 5}, run.output


def test_it_is_announced() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options.entry_points"]["pytest11"].strip() == "muxi = muxi.testing.pytest_plugin"


@pytest.mark.slow  # starts an interpreter with pytest
def test_as_it_is_installed_it_loads_by_itself_and_warns_of_nothing(run_pytest: Pytest, tmp_path: Path) -> None:
    site = tmp_path / "site"
    described = site / "muxi_client_stand_in-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: muxi-client-stand-in\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[pytest11]\nmuxi = muxi.testing.pytest_plugin\n")
    # pytest rewrites the assertions in all files of such a distribution.
    (described / "RECORD").write_text("muxi/__init__.py,,\nmuxi/errors.py,,\nmuxi_transports/__init__.py,,\n")
    source = "def test_it(muxi_formation): assert muxi_formation.health()"
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{site}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    # Somebody else's plugins may warn of their own settings.
    others = [f"-pno:{name}" for name in ("anyio", "asyncio", "hypothesispytest", "xdist", "xdist.looponfail")]
    run = run_pytest(source, *others, environment=environment, load=False)
    assert run.counts == {"passed": 1}, run.output
    # A program that has imported the SDK before it runs pytest.
    (tmp_path / "sitecustomize.py").write_text("import muxi, muxi_transports.memory\n", encoding="utf-8")
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    run = run_pytest(source, *others, environment=environment, load=False)
    assert run.counts == {"passed": 1}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_it_lists_its_fixtures_markers_and_settings(run_pytest: Pytest) -> None:
    listed = run_pytest("", "--fixtures").output
    assert {name for name in re.findall(r"^(\w+)", listed, re.MULTILINE) if name.startswith("muxi_")} == FIXTURES
    markers = run_pytest("", "--markers").output
    assert set(re.findall(r"@pytest.mark.(muxi\w*)", markers)) == {"muxi", "muxi_cassette", "muxi_network"}
    helped = run_pytest("", "--help").output
    assert "muxi_block_network (bool)" in helped
    assert "--muxi-record={none,once,new,all}" in helped


def test_the_page_has_every_fixture_marker_and_setting() -> None:
    page = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
    for name in (*FIXTURES, "@pytest.mark.muxi", "@pytest.mark.muxi_network", "@pytest.mark.muxi_cassette"):
        assert f"`{name}" in page, name
    assert "muxi_block_network" in page
    assert "--muxi-record" in page


@pytest.mark.slow  # starts an interpreter with pytest
def test_nothing_of_the_sdk_is_loaded_before_a_fixture_is_used(run_pytest: Pytest, tmp_path: Path) -> None:
    spy = """
import json, sys
def pytest_sessionfinish(session):
    print("LOADED", json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] in TOPS)))
TOPS = {"muxi", "muxi_transports", "requests", "marshmallow", "aiohttp", "asyncio", "sseclient"}
"""
    source = "def test_nothing(tmp_path): pass\n\ndef test_something(muxi_clock): pass"

    spied = tmp_path / "spied"
    spied.mkdir()
    (spied / "spy.py").write_text(spy, encoding="utf-8")
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{spied}"}

    def loaded(*options: str, load: bool = True) -> set[str]:
        run = run_pytest(source, "-p", "spy", "-s", *options, environment=environment, load=load)
        return set(json.loads(run.output.partition("LOADED ")[2].splitlines()[0]))

    own = {"muxi", "muxi.testing", "muxi.testing.pytest_plugin", "muxi.testing.verdict", "muxi.version"}
    without = loaded("-k", "nothing", load=False)
    assert loaded("--collect-only") - without == own
    assert loaded("-k", "nothing") - without == own
    assert "muxi_transports.memory" in loaded()


# -- markers -------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # starts an interpreter with pytest
def test_options_make_the_world(run_pytest: Pytest) -> None:
    source = """
import pytest
from muxi import AuthenticationError, FormationClient, ServerClient

SERVER = {"key_id": "muxi_pk_a", "secret_key": "muxi_sk_b"}
pytestmark = pytest.mark.muxi(client_key="fmc_right", formation_id="helpdesk", **SERVER)

def test_keys(muxi_formation, muxi_server):
    assert muxi_formation.chat("Hi", user_id="ada")["message"]["content"] == "You said: Hi"
    assert muxi_server.list_formations()["formations"][0]["id"] == "helpdesk"
    assert FormationClient().get_sessions("ada")["count"] == 1
    with pytest.raises(AuthenticationError):
        FormationClient(client_key="fmc_wrong").chat("Hi", user_id="ada")
    with pytest.raises(AuthenticationError):
        ServerClient(secret_key="muxi_sk_c").list_formations()

@pytest.mark.muxi(start=86400, imitate={"escaped_event_frames"})
class TestMore:
    def test_nearer_markers_add_to_farther_ones(self, muxi_world, muxi_clock):
        assert (muxi_world.formation_id, muxi_clock.time()) == ("helpdesk", 86400)
        assert muxi_world.imitates("escaped_event_frames")

@pytest.mark.parametrize("run", [1, 2])
def test_ids_are_the_same_each_time(muxi_world, run):
    assert muxi_world.ids.new("x_") == EXPECTED

from muxi_transports.memory import EmbeddedFormation
EXPECTED = EmbeddedFormation(seed="0").ids.new("x_")
"""
    run = run_pytest(source)
    assert run.counts == {"passed": 4}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_wrong_options_are_told_in_a_line(run_pytest: Pytest) -> None:
    wrong = {
        "muxi(sed=7)": "takes no 'sed'; did you mean 'seed'?",
        "muxi(7)": "takes its options by name",
        "muxi(imitate={'nonsense'})": "nonsense",
        "muxi(key_id='muxi_pk_x')": "give key_id= and secret_key= together",
        "muxi_cassette('x.yaml', made='up')": "takes no made; known are allow_repeats",
        "muxi_cassette(mode='never')": "mode= takes 'none', 'once', 'new', 'all', got 'never'",
        "muxi_cassette('x.yaml', 'none')": "takes a file, and its options by name: mode='none'",
        "muxi_cassette(7)": "takes the path of a file, got int",
    }
    tests = [
        f"@pytest.mark.{marker}\ndef test_{number}(muxi_{'cassette' if 'cassette' in marker else 'world'}): pass"
        for number, marker in enumerate(wrong)
    ]
    tests.append("def test_both(muxi_cassette, muxi_world): pass")
    run = run_pytest("\n".join(["import pytest", *tests]))
    assert run.counts == {"error": 9}, run.output
    for said in (*wrong.values(), "a test has a cassette or an embedded world"):
        assert said in run.output
    assert "Traceback" not in run.output
    assert "embedded.py" not in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_marker_that_does_nothing_is_told(run_pytest: Pytest) -> None:
    source = """
import pytest

pytestmark = [pytest.mark.muxi(seed=3), pytest.mark.muxi_cassette(mode="none")]

def test_of_a_module():
    pass

@pytest.mark.muxi_cassette("x.yaml")
def test_embedded(muxi_formation):
    pass

@pytest.mark.muxi_cassette("x.yaml")
def test_nothing():
    pass

@pytest.mark.muxi(seed=4)
def test_no_world():
    pass

def test_two_worlds(muxi_formation, request):
    request.getfixturevalue("muxi_cassette")
"""
    run = run_pytest(source)
    assert run.counts == {"passed": 1, "failed": 4}, run.output
    assert run.output.count("PytestWarning: @pytest.mark.muxi_cassette is on a test that uses no fixture for") >= 2
    assert "PytestWarning: @pytest.mark.muxi is on a test that uses no fixture for it" in run.output
    assert "a test has a cassette or an embedded world" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_fault_that_no_request_can_meet_is_refused(run_pytest: Pytest) -> None:
    source = """
import pytest
from muxi import ConfigurationError
from muxi_transports.faulty import Refuse

@pytest.mark.parametrize("rule", ["POST /v1/chatt", "PSOT /v1/chat", "/v2", "GET,PUT https://muxi.test/v1/agnts/*"])
def test_wrong(muxi_faults, rule):
    with pytest.raises(ConfigurationError, match="the platform has no route .*; the nearest is"):
        muxi_faults.on(rule, Refuse())

RIGHT = ["*", "POST", "POST /v1/chat", "/v1", "/v1/", "/**/memories", "get,post /api/*/v1/agents", "muxi.test/rpc"]

@pytest.mark.parametrize("rule", RIGHT)
def test_right(muxi_faults, rule):
    muxi_faults.on(rule, Refuse())
"""
    run = run_pytest(source)
    assert run.counts == {"passed": 12}, run.output


# -- nothing but stubs ---------------------------------------------------------------------------------------------


@pytest.mark.slow  # starts an interpreter with pytest
def test_what_is_swallowed_fails_the_test_all_the_same(run_pytest: Pytest) -> None:
    source = """
import pytest

pytestmark = pytest.mark.muxi(strict=True)

def ask(formation):
    try:
        return formation.get_sessions("ada")
    except Exception:
        return None

def test_swallowed(muxi_formation, muxi_transport):
    muxi_transport.stub("GET", "/v1/agents", json={})
    assert ask(muxi_formation) is None

def test_shown_beside_another_failure(muxi_formation):
    assert ask(muxi_formation) == {}

def test_stubbed(muxi_formation, muxi_transport):
    muxi_transport.stub("GET", "/v1/sessions", json={"sessions": [], "count": 0})
    assert ask(muxi_formation)["count"] == 0

@pytest.mark.xfail(strict=True)
def test_expected_to_fail(muxi_formation):
    ask(muxi_formation)
"""
    run = run_pytest(source)
    assert run.counts == {"failed": 2, "passed": 1, "xfailed": 1}, run.output
    assert "the nearest stub is GET /v1/agents, but" in run.output
    assert "there are no stubs" in run.output.partition("Captured muxi call")[2]


# -- the network ---------------------------------------------------------------------------------------------------

ANYIO = """
import pytest

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def test_in_a_loop_of_anyios(muxi_async_formation, muxi_transport):
    assert (await muxi_async_formation.chat("Hi", user_id="ada"))["message"]["content"] == "You said: Hi"
    muxi_transport.assert_called("POST", "/v1/chat", times=1)

async def test_and_in_another(muxi_async_formation):
    assert (await muxi_async_formation.get_sessions("ada"))["count"] == 0
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_it_works_beside_anyio(run_pytest: Pytest) -> None:
    require_module("anyio")
    run = run_pytest(ANYIO, "-p", "anyio")
    assert run.counts == {"passed": 2}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_it_works_beside_pytest_asyncio(run_pytest: Pytest) -> None:
    require_module("pytest_asyncio")
    source = ANYIO.replace("pytest.mark.anyio", "pytest.mark.asyncio")
    run = run_pytest(source, "-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
    assert run.counts == {"passed": 2}, run.output
