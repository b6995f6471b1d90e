"""Plugins: what can be registered, under which names, from where, and how it is traced."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest

from muxi import STOP, ConfigurationError, Context, Outcome, PluginError, hookimpl
from muxi import installed as installed_distributions
from muxi.hooks import Await, Hooks
from muxi.hooks import installed as installed_plugins
from muxi.transport import Request
from tests.answers import Colour, Playback, answer, chat_answer, refused
from tests.diary import SPECS, Diary


@pytest.mark.parametrize("hook", SPECS)
def test_an_async_implementation_on_a_sync_client_is_refused_by_name(hook: str) -> None:
    class Vault:
        name = "vault"

    async def implementation(self: Any) -> None: ...

    implementation.__name__ = hook
    setattr(Vault, hook, hookimpl(implementation))
    with pytest.raises(PluginError, match=rf"'vault'.*{hook}.*(async def|cannot be async)"):
        Hooks(plugins=[Vault()])
    if hook.startswith("muxi_register_") or hook == "muxi_client_created":
        with pytest.raises(PluginError, match=f"{hook} cannot be async"):
            Hooks(plugins=[Vault()], asynchronous=True)
    else:
        Hooks(plugins=[Vault()], asynchronous=True)


def test_a_coroutine_out_of_a_plain_function_is_refused_on_a_sync_client_when_it_comes() -> None:
    async def later() -> None: ...

    class Sly:
        name = "sly"

        @hookimpl
        def muxi_prepare_request(self) -> Any:
            return later()

    with pytest.raises(PluginError, match="'sly' returned an awaitable from muxi_prepare_request"):
        Colour().formation(plugins=[Sly()]).get_memories("ada")


def test_a_coroutine_where_nothing_can_be_awaited_is_logged(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> None: ...

    class Sly:
        @hookimpl
        def muxi_client_created(self) -> Any:
            return later()

    colour.formation(plugins=[Sly()])
    assert "returned an awaitable from muxi_client_created" in caplog.text


@pytest.mark.parametrize("options", [{"wrapper": True}, {"hookwrapper": True}])
def test_wrappers_are_refused_with_what_to_use_instead(options: dict[str, Any]) -> None:
    class Wraps:
        name = "wraps"

        @hookimpl(**options)  # type: ignore[untyped-decorator]  # which options is not told here
        def muxi_prepare_request(self) -> Any:
            yield

    with pytest.raises(PluginError, match=r"'wraps' implements muxi_prepare_request as a wrapper.*muxi_call_started"):
        Hooks(plugins=[Wraps()])


def test_an_unknown_hook_is_an_error_that_names_the_nearest_and_all() -> None:
    class Typo:
        name = "typo"

        @hookimpl
        def muxi_call_startet(self) -> None: ...

    with pytest.raises(PluginError, match="unknown hook 'muxi_call_startet'") as caught:
        Hooks(plugins=[Typo()])
    assert caught.value.plugin == "typo"
    assert "Did you mean muxi_call_started?" in str(caught.value)
    assert all(name in str(caught.value) for name in SPECS)


def test_a_wrong_argument_is_an_error_that_shows_the_signature() -> None:
    class Typo:
        name = "typo"

        @hookimpl
        def muxi_prepare_request(self, request: Request, ctx: Context) -> None: ...

    with pytest.raises(PluginError, match=r"ctx") as caught:
        Hooks(plugins=[Typo()])
    assert "muxi_prepare_request(request: 'Request', context: 'Context')" in str(caught.value)


def test_arguments_may_be_left_out_and_come_in_any_order(colour: Colour) -> None:
    got: list[Any] = []

    class Picks:
        @hookimpl
        def muxi_prepare_request(self, context: Context, request: Request) -> None:
            got.append((type(context), type(request)))

        @hookimpl
        def muxi_call_finished(self, outcome: Outcome) -> None:
            got.append(type(outcome))

    colour.run(colour.formation(answer({}), plugins=[Picks()]).get_memories, "ada")
    assert got == [(Context, Request), Outcome]


def test_a_function_named_like_a_hook_and_not_marked_is_an_error() -> None:
    class Forgot:
        name = "forgot"

        def muxi_prepare_request(self, request: Request) -> None: ...

    with pytest.raises(PluginError, match="muxi_prepare_request of the plugin 'forgot' is not marked"):
        Hooks(plugins=[Forgot()])


def test_two_plugins_of_one_name_are_an_error() -> None:
    class Named(Diary):
        name = "twin"

    with pytest.raises(PluginError, match="'twin' is registered twice"):
        Hooks(plugins=[Named(), Named()])


@pytest.mark.parametrize("thing", ["muxi.tracing", None, {}, print, object()])
def test_what_implements_no_hook_is_no_plugin(thing: object) -> None:
    with pytest.raises(PluginError, match=r"implements no hook.*The hooks are: muxi_register_transports"):
        Hooks(plugins=[thing])


@pytest.mark.parametrize("plugins", [Diary(), "vault", 3])
def test_one_plugin_is_not_a_list_of_them(plugins: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"plugins= takes a list of plugins, got .*; put it into one"):
        Hooks(plugins=plugins)


def test_one_name_is_not_a_list_of_them() -> None:
    with pytest.raises(ConfigurationError, match=r"disable_plugins= takes a list of names, got 'muxi.retry'"):
        Colour().formation(disable_plugins="muxi.retry")


def test_a_misspelt_name_of_a_built_in_plugin_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"'muxi.retyr'.*did you mean 'muxi.retry'\?"):
        Colour().formation(disable_plugins=["muxi.retyr"])
    Colour().formation(disable_plugins=["muxi.tracing", "vault", "muxi.retry"])


@pytest.mark.parametrize("name", ["retry", "log"])
def test_a_built_in_plugin_without_its_prefix_is_asked_about(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{name}'.*did you mean 'muxi.{name}'\?"):
        Colour().formation(disable_plugins=[name])


def test_what_is_no_name_cannot_be_gone_without() -> None:
    with pytest.raises(ConfigurationError, match=r"disable_plugins= takes a list of names, got \[5\]"):
        Colour().formation(disable_plugins=[5])


def test_an_argument_with_a_default_would_never_be_given_and_is_refused() -> None:
    class Optional:
        @hookimpl
        def muxi_call_started(self, call: object, context: object = None) -> None: ...

    with pytest.raises(PluginError, match="gives context a default in its muxi_call_started"):
        Hooks(plugins=[Optional()])


def test_a_property_that_is_not_ready_is_no_obstacle() -> None:
    class Lazy(Diary):
        @property
        def connection(self) -> object:
            raise LookupError("not connected yet")

        @property
        def muxi_session(self) -> object:
            raise LookupError("not connected yet")

    assert Hooks(plugins=[Lazy()]).has("muxi_call_started")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_hook_with_a_yield_would_never_run_and_is_refused(asynchronous: bool) -> None:
    class Yields:
        name = "yields"

        @hookimpl
        def muxi_call_started(self) -> Any:
            yield

    class YieldsLater:
        name = "yields"

        @hookimpl
        async def muxi_call_started(self) -> Any:
            yield

    for plugin in (Yields(), YieldsLater()):
        with pytest.raises(PluginError, match="'yields' has a yield in its muxi_call_started"):
            Hooks(plugins=[plugin], asynchronous=asynchronous)


def test_a_class_is_no_plugin_but_its_instances_are() -> None:
    with pytest.raises(PluginError, match="is a class; give an instance"):
        Hooks(plugins=[Diary])


def test_a_module_is_a_plugin(colour: Colour) -> None:
    import types

    module = types.ModuleType("audit_trail")
    seen: list[str] = []

    def muxi_call_started(call: Any) -> None:
        seen.append(call.label)

    module.muxi_call_started = hookimpl(muxi_call_started)  # type: ignore[attr-defined]  # what a module has
    client = colour.formation(answer({}), plugins=[module])
    colour.run(client.get_memories, "ada")
    assert seen == ["get_memories (GET /memories)"]


def test_built_in_plugins_can_be_gone_without_or_replaced_by_name() -> None:
    class Mine(Diary):
        name = "muxi.retry"

    builtin = [("muxi.auth", Diary()), ("muxi.retry", Diary()), ("muxi.log", Diary())]
    assert Hooks(builtin).names() == ["muxi.retry", "muxi.log", "muxi.auth"]
    assert Hooks(builtin, disabled=["muxi.log"]).names() == ["muxi.retry", "muxi.auth"]
    mine = Mine()
    replaced = Hooks(builtin, [mine])
    assert replaced.names() == ["muxi.log", "muxi.retry", "muxi.auth"]
    assert Hooks(builtin, [mine], ["muxi.retry"]).names() == ["muxi.log", "muxi.auth"]


def test_a_hook_without_implementations_is_known_as_such() -> None:
    found = Hooks(plugins=[Diary()], disabled=["tests.diary.Diary"])
    assert not any(found.has(name) for name in SPECS)


# Entry points

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one module and one entry point of the group ``muxi``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    installed_plugins.entry_points.cache_clear()
    monkeypatch.setattr(installed_plugins, "entry_points", installed_plugins.entry_points.__wrapped__)
    monkeypatch.setattr(installed_distributions, "look", installed_distributions.look.__wrapped__)

    def installed(name: str, source: str, attribute: str = "") -> None:
        (tmp_path / f"muxi_{name}_plugin.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        target = f"muxi_{name}_plugin:{attribute}".rstrip(":")
        (info / "entry_points.txt").write_text(f"[muxi]\n{name} = {target}\n")
        importlib.invalidate_caches()

    return installed


PLUGIN = """
import muxi

@muxi.hookimpl
def muxi_prepare_request(request):
    request.headers["X-Installed"] = "yes"
"""


def test_an_installed_plugin_is_found_and_can_be_switched_off(
    colour: Colour, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("stamp", PLUGIN)

    def header(**settings: Any) -> str | None:
        play = Playback(answer({}))
        colour.run(colour.formation(play, **settings).get_memories, "ada")
        return play.request.headers.get("X-Installed")

    assert header() == "yes"
    assert header(disable_plugins=["stamp"]) is None
    for value, expected in [("1", None), ("true", None), ("stamp", None), ("", "yes")]:
        monkeypatch.setenv("MUXI_DISABLE_PLUGINS", value)
        assert header() == expected, value


def test_a_misspelt_name_disables_nothing_and_is_warned_of_once(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("stamp", PLUGIN)
    installed_plugins._warn_of_unknown.cache_clear()
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", "stmap, zebra")
    with pytest.warns(RuntimeWarning) as warned:
        _ = [Colour().formation(Playback()) for _ in range(2)]
    assert [str(one.message) for one in warned] == [
        "MUXI_DISABLE_PLUGINS: no installed plugin is named stmap; did you mean stamp?",
        "MUXI_DISABLE_PLUGINS: no installed plugin is named zebra; installed are: stamp",
    ]


def test_the_variable_of_installed_plugins_says_how_a_built_in_one_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed_plugins._warn_of_unknown.cache_clear()
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", "muxi.retry")
    with pytest.warns(RuntimeWarning, match=r"muxi\.retry; built-in .* disable_plugins=\['muxi\.retry'\]"):
        Colour().formation(Playback())


CLASS = """
import muxi

class Plugin:
    made = []

    def __init__(self):
        Plugin.made.append(self)

    @muxi.hookimpl
    def muxi_prepare_request(self, request):
        request.headers["X-Installed"] = str(Plugin.made.index(self))
"""


def test_an_installed_class_gives_each_client_a_plugin_of_its_own(colour: Colour, install: Install) -> None:
    colour_name = type(colour).__name__.lower()
    install(colour_name, CLASS, "Plugin")
    plays = [Playback(answer({})), Playback(answer({}))]
    for play in plays:
        colour.run(colour.formation(play).get_memories, "ada")
    assert [play.request.headers["X-Installed"] for play in plays] == ["0", "1"]


def test_an_installed_class_that_cannot_be_made_is_named(install: Install) -> None:
    install("needy", "class Plugin:\n    def __init__(self, key): ...", "Plugin")
    with pytest.raises(PluginError, match=r"'needy'.*cannot be loaded: TypeError.*MUXI_DISABLE_PLUGINS=needy"):
        Colour().formation()


@pytest.mark.parametrize("source", [PLUGIN, "raise OSError('no such vault')"], ids=["sound", "broken"])
def test_a_given_plugin_takes_the_place_of_an_installed_one_of_its_name(
    colour: Colour, install: Install, source: str
) -> None:
    class Given(Diary):
        name = "double"

    install("double", source)
    play = Playback(answer({}))
    given = Given()
    colour.run(colour.formation(play, plugins=[given]).get_memories, "ada")
    assert "X-Installed" not in play.request.headers
    assert given.entries


def test_an_installed_plugin_that_cannot_be_loaded_says_how_to_go_without(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("wreck", "raise OSError('no such vault')")
    with pytest.raises(PluginError, match=r"'wreck'.*no such vault.*MUXI_DISABLE_PLUGINS=wreck goes without it"):
        Colour().formation()
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", "wreck")
    Colour().formation()
    monkeypatch.delenv("MUXI_DISABLE_PLUGINS")
    Colour().formation(disable_plugins=["wreck"])


# Tracing


def test_each_hook_call_can_be_traced(
    colour: Colour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUXI_TRACE_PLUGINS", "1")
    colour.run(colour.formation(chat_answer("secret thing"), disable_plugins=["muxi.log"]).chat, "secret question")
    assert capsys.readouterr().err.splitlines() == [
        "muxi: muxi_prepare_request -> muxi.idempotency",
        "muxi: muxi_prepare_request -> muxi.sdk_headers",
        "muxi: muxi_prepare_request -> muxi.auth",
        "muxi: muxi_call_finished -> muxi.retry",
    ]


def test_a_trace_tells_what_plugins_decide_and_what_they_raise_but_shows_nothing_of_it(
    colour: Colour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def decides() -> Any:
        return 0 if not colour.asynchronous else _later(0)

    class Tells:
        name = "tells"

        @hookimpl
        def muxi_retry_delay(self) -> Any:
            return decides()

        @hookimpl
        def muxi_call_finished(self) -> None:
            raise LookupError("hush")

        @hookimpl
        def muxi_response_received(self) -> Any:
            return {"hush": 1}

    monkeypatch.setenv("MUXI_TRACE_PLUGINS", "1")
    client = colour.formation(refused(), answer({}), plugins=[Tells()])
    colour.run(client.get_memories, "ada")
    lines = [line for line in capsys.readouterr().err.splitlines() if "tells" in line]
    assert lines == [
        "muxi: muxi_retry_delay -> tells",
        "muxi: muxi_retry_delay <- tells: 0",
        "muxi: muxi_response_received -> tells",
        "muxi: muxi_response_received <- tells: dict",
        "muxi: muxi_call_finished -> tells",
        "muxi: muxi_call_finished !! tells: LookupError",
    ]


async def _later(result: object) -> object:
    return result


def test_nothing_is_traced_unless_asked_for(
    colour: Colour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUXI_TRACE_PLUGINS", "0")
    colour.run(colour.formation(answer({})).get_memories, "ada")
    assert capsys.readouterr().err == ""


# The functions themselves


def test_steps_ask_for_what_is_to_be_awaited() -> None:
    class Asks:
        @hookimpl
        async def muxi_retry_delay(self) -> float:
            return 2.5

    found = Hooks(plugins=[Asks()], asynchronous=True)
    steps = found.decide("muxi_retry_delay", outcome=None, context=None)
    step = next(steps)
    assert isinstance(step, Await)
    step.awaitable.close()  # type: ignore[attr-defined]  # it is a coroutine
    with pytest.raises(StopIteration) as stop:
        steps.send(STOP)
    assert stop.value.value is STOP


def test_the_marker_is_pluggys() -> None:
    assert isinstance(hookimpl, pluggy.HookimplMarker)
