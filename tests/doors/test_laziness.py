"""What is not needed is not loaded, and whatever is loaded later is there as if it had always been."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import typing

import pytest

import muxi
import muxi.transport
import muxi.types
from muxi.lazy import AnnotationNames, LazyModule, names_of

PACKAGES = [muxi, muxi.transport, muxi.types]

#: Loaded by the first client or by the first call that needs it, never by the import.
NOT_IMPORTED = [
    "dataclasses",
    "inspect",
    "json",
    "logging",
    "marshmallow",
    "pluggy",
    "requests",
    "urllib.parse",
    "urllib3",
]

#: Not needed for a first plain call over the default transport.
NOT_CALLED = ["dataclasses", "marshmallow", "requests", "uuid"]


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_after(program: str) -> set[str]:
    return set(run(f"{program}\nimport sys\nprint(*sys.modules)").split())


def test_importing_a_client_loads_no_library() -> None:
    modules = loaded_after("from muxi import FormationClient")
    assert not modules.intersection(NOT_IMPORTED)
    assert not {name for name in modules if name.startswith(("muxi.exchange", "muxi.hooks", "muxi.schemas"))}


CALL = """
import threading, socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
served = set(__import__("sys").modules)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        content = b'{"success": true, "data": {"memories": [], "count": 0}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
"""


def test_a_first_plain_call_loads_no_library_that_it_does_not_use() -> None:
    program = CALL + "from muxi import FormationClient\nFormationClient(url=url, client_key='k').get_memories('ada')"
    assert not loaded_after(program).intersection(NOT_CALLED)


def test_threads_that_import_and_call_at_once_see_no_difference() -> None:
    program = CALL + (
        "barrier = threading.Barrier(24)\n"
        "results = []\n"
        "def work():\n"
        "    barrier.wait()\n"
        "    from muxi import FormationClient, meta\n"
        "    from muxi.types import MemoryPage\n"
        "    with FormationClient(url=url, client_key='k') as client:\n"
        "        results.append(client.get_memories('ada') == {'memories': [], 'count': 0})\n"
        "threads = [threading.Thread(target=work) for _ in range(24)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(results == [True] * 24)"
    )
    assert run(program) == "True\n"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_dir_and_import_know_the_names_that_are_loaded_later(package: typing.Any) -> None:
    listed = run(f"import {package.__name__} as package\nprint(*dir(package))").split()
    assert set(package.__all__) <= set(listed)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing
    with pytest.raises(ImportError):
        importlib.import_module(f"{package.__name__}.nothing")


def test_every_name_of_the_types_is_one_of_the_module_that_is_its_home() -> None:
    homes: dict[str, tuple[str, ...]] = muxi.types._HOMES
    assert sorted(name for names in homes.values() for name in names) == sorted(muxi.types.__all__)
    for module, names in homes.items():
        for name in names:
            assert getattr(importlib.import_module(module), name) is getattr(muxi.types, name)


def test_a_name_is_looked_up_once() -> None:
    get_name, list_names = names_of("muxi.types", {"muxi.types.chat": ("ChatEvent",)})
    assert get_name("ChatEvent") is muxi.types.ChatEvent
    assert "ChatEvent" in list_names()


def test_a_lazy_module_gives_the_attributes_of_the_module() -> None:
    assert LazyModule("inspect").signature is inspect.signature
    assert repr(LazyModule("inspect")) == "<LazyModule inspect>"
    with pytest.raises(AttributeError):
        _ = LazyModule("inspect").nothing


def test_annotations_find_names_in_their_module_first_and_then_in_their_homes() -> None:
    names = AnnotationNames({"ChatEvent": int}, ("muxi.types", "collections.abc"))
    assert names["ChatEvent"] is int
    assert names["MemoryPage"] is muxi.types.MemoryPage
    assert eval("Iterator", names) is typing.get_origin(typing.Iterator[int])  # noqa: S307  what typing does
    assert "Nothing" not in names
    assert not names.__contains__(3)
