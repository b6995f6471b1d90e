"""A watch takes the libraries as they are imported: import hooks get at them first, and half of one is not judged."""

from __future__ import annotations

import http.client
import importlib.abc
import importlib.util
import logging
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Literal

import pytest
import requests
import requests.adapters
import urllib3
import urllib3.connection
from urllib3.connectionpool import HTTPConnectionPool

from muxi_transports.pooled.watch import Watch

Library = Literal["requests", "urllib3"]
LIBRARIES: tuple[Library, ...] = ("requests", "urllib3")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    found: Library = request.param
    return found


class Tool(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A finder as tools put it on ``sys.meta_path``: it finds the libraries, and changes them as they are imported."""

    def __init__(self, change: Callable[[], None]) -> None:
        self._change = change
        self._modules: dict[str, ModuleType] = {name: sys.modules[name] for name in LIBRARIES}
        self.imported: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self, is_package=True) if name in self._modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.imported.append(spec.name)
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        self._change()


class Finders(list[object]):
    """``sys.meta_path``, which counts how often it is read."""

    def __init__(self, *finders: object) -> None:
        super().__init__(finders)
        self.read = 0

    def __iter__(self) -> Iterator[object]:
        self.read += 1
        return super().__iter__()


def take_out(patch: pytest.MonkeyPatch, library: str) -> None:
    """Make a library one that has not been imported."""
    patch.setattr(sys.modules[library], "__spec__", sys.modules[library].__spec__)  # whoever imports it sets another
    patch.delitem(sys.modules, library)


def replaced(*args: object, **options: object) -> None:
    raise AssertionError("no request is sent here")


# -- import hooks ----------------------------------------------------------------------------------------------


def test_a_finder_of_a_tool_gets_at_the_library_before_the_look(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = Tool(lambda: monkeypatch.setattr(HTTPConnectionPool, "urlopen", replaced))
    take_out(monkeypatch, library)
    monkeypatch.setattr(sys, "meta_path", [tool])

    assert Watch(library).look().reason == f"HTTPConnectionPool.urlopen has been replaced by {__name__}"
    assert tool.imported == [library]


def test_a_finder_that_comes_later_gets_at_the_library_before_the_next_look(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = Tool(lambda: monkeypatch.setattr(HTTPConnectionPool, "urlopen", replaced))
    take_out(monkeypatch, library)
    monkeypatch.setattr(sys, "meta_path", [BuiltinImporter])
    watch = Watch(library)

    assert watch.look().reason is None
    sys.meta_path.append(tool)
    assert watch.look().reason == f"HTTPConnectionPool.urlopen has been replaced by {__name__}"


def test_a_library_that_a_tool_leaves_alone_is_imported_for_the_look_once(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = Tool(lambda: None)
    take_out(monkeypatch, library)
    monkeypatch.setattr(sys, "meta_path", [tool])
    watch = Watch(library)

    assert [watch.look().reason for _ in range(2)] == [None, None]
    assert tool.imported == [library]


def finder_class(name: str, module: str) -> type:
    return type(name, (), {"__module__": module})


_HARMLESS = [
    finder_class("DistutilsMetaFinder", "_distutils_hack"),
    finder_class("AssertionRewritingHook", "_pytest.assertion.rewrite"),
    finder_class("Importer", "six"),
    finder_class("_SixMetaPathImporter", "botocore.vendored.six"),
    finder_class("_EditableFinder", "__editable___formation_1_0_finder"),
]


@pytest.mark.parametrize(
    "finder",
    [BuiltinImporter, FrozenImporter, PathFinder, *_HARMLESS, *(kind() for kind in _HARMLESS)],
    ids=lambda finder: getattr(finder, "__name__", f"a {type(finder).__name__}"),
)
def test_finders_of_python_and_of_packaging_replace_nothing_so_that_nothing_is_imported_for_them(
    library: Library, monkeypatch: pytest.MonkeyPatch, finder: object
) -> None:
    take_out(monkeypatch, library)
    monkeypatch.setattr(sys, "meta_path", [finder])

    assert Watch(library).look().reason is None
    assert library not in sys.modules


def test_finders_are_read_once_until_they_change(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    take_out(monkeypatch, library)
    finders = Finders(BuiltinImporter)
    monkeypatch.setattr(sys, "meta_path", finders)
    watch = Watch(library)

    assert [watch.look().reason for _ in range(3)] == [None] * 3
    assert finders.read == 1
    finders.append(PathFinder)
    assert [watch.look().reason for _ in range(3)] == [None] * 3
    assert finders.read == 2


def test_finders_are_not_read_where_the_library_is_imported(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    finders = Finders(BuiltinImporter)
    monkeypatch.setattr(sys, "meta_path", finders)
    watch = Watch(library)

    assert [watch.look().reason for _ in range(3)] == [None] * 3
    assert finders.read == 0


def test_a_library_below_the_one_that_sends_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool(lambda: monkeypatch.setattr(requests.Session, "send", replaced))
    take_out(monkeypatch, "requests")
    monkeypatch.setattr(sys, "meta_path", [BuiltinImporter])
    watch = Watch("requests")

    assert watch.look().reason is None
    monkeypatch.setattr(sys, "meta_path", [tool])
    assert watch.look().reason == f"Session.send has been replaced by {__name__}"


# -- libraries that come later ---------------------------------------------------------------------------------


def test_what_is_imported_between_two_looks_is_judged(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = (requests.Session, "send") if library == "requests" else (HTTPConnectionPool, "urlopen")
    watch = Watch(library)
    with monkeypatch.context() as patch:
        take_out(patch, library)
        patch.setattr(sys, "meta_path", [BuiltinImporter])
        assert watch.look().reason is None
    monkeypatch.setattr(owner, name, replaced)

    assert watch.look().reason == f"{owner.__name__}.{name} has been replaced by {__name__}"


def test_a_library_more_is_no_other_state(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(library)
    with monkeypatch.context() as patch:
        take_out(patch, library)
        patch.setattr(sys, "meta_path", [BuiltinImporter])
        before = watch.look().state

    assert watch.look().state is before


def test_a_library_more_beside_another_change_is_another_state(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(library)
    with monkeypatch.context() as patch:
        take_out(patch, library)
        patch.setattr(sys, "meta_path", [BuiltinImporter])
        before = watch.look().state
    monkeypatch.setattr(ssl, "SSLContext", type("Context", (ssl.SSLContext,), {}))
    after = watch.look()

    assert (after.reason, after.state is before) == (None, False)
    assert watch.look() == after


def test_a_reason_that_the_library_takes_away_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.client, "HTTPConnection", type("Recording", (http.client.HTTPConnection,), {}))
    watch = Watch("urllib3")
    with monkeypatch.context() as patch:
        take_out(patch, "urllib3")
        patch.setattr(sys, "meta_path", [BuiltinImporter])
        assert watch.look().reason == f"http.client.HTTPConnection has been replaced by {__name__}"

    assert watch.look().reason is None, "urllib3 was imported before, and has the class of Python"


# -- half of a library -----------------------------------------------------------------------------------------


def test_a_library_that_another_thread_is_importing_is_not_judged_until_it_is_there(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(library)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[library].__spec__, "_initializing", True)
        assert watch.look() == (f"{library} is being imported by another thread", None)

    assert watch.look().reason is None


def test_a_library_without_its_classes_is_half_imported(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, ModuleType(library))

    assert Watch(library).look() == (f"{library} is being imported by another thread", None)


def test_a_library_without_a_specification_is_complete_with_its_classes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[library], "__spec__", None)

    assert Watch(library).look().reason is None


# -- the words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        (http.client.HTTPConnection, "putrequest", "http.client's HTTPConnection.putrequest"),
        (http.client.HTTPResponse, "read", "http.client's HTTPResponse.read"),
        (urllib3.connection.HTTPConnection, "putrequest", "urllib3's HTTPConnection.putrequest"),
        (urllib3.connection.HTTPSConnection, "connect", "urllib3's HTTPSConnection.connect"),
        (urllib3.HTTPSConnectionPool, "_new_conn", "HTTPSConnectionPool._new_conn"),
        (requests.Session, "send", "Session.send"),
        (requests.adapters.HTTPAdapter, "send", "HTTPAdapter.send"),
    ],
    ids=lambda value: getattr(value, "__qualname__", value),
)
def test_the_reason_names_the_library_the_part_and_the_tool(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, said: str
) -> None:
    monkeypatch.setattr(owner, name, replaced)

    assert Watch("requests").look().reason == f"{said} has been replaced by {__name__}"


def log_debug_messages(patch: pytest.MonkeyPatch) -> logging.Handler:
    """Turn the debug log of urllib3 on, with one handler: those of this run are left out."""
    logger, handler = logging.getLogger("urllib3.connectionpool"), logging.StreamHandler()
    patch.setattr(logger, "propagate", False)
    patch.setattr(logger, "handlers", [handler])
    patch.setattr(logger, "isEnabledFor", lambda level: level == logging.DEBUG)
    return handler


def test_a_handler_leads_to_the_full_lane_if_it_takes_debug_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = log_debug_messages(monkeypatch)
    said: list[str | None] = []
    for level in (logging.NOTSET, logging.DEBUG, logging.DEBUG + 1):
        handler.setLevel(level)
        said.append(Watch("requests").look().reason)

    assert said == ["the debug log of urllib3 has a handler"] * 2 + [None]


def test_a_tool_is_named_before_the_debug_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log_debug_messages(monkeypatch)
    monkeypatch.setattr(requests.Session, "send", replaced)

    assert Watch("requests").look().reason == f"Session.send has been replaced by {__name__}"
