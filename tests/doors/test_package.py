"""The package as it is imported: what it has, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import muxi

HEAVY = ["requests", "urllib3", "marshmallow", "aiohttp", "asyncio", "muxi_transports", "sseclient", "ssl", "httpx"]


def loaded_by(code: str) -> set[str]:
    """The modules of HEAVY that a fresh interpreter has loaded after this."""
    check = f"{code}\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import muxi",
        "from muxi import FormationClient, AsyncFormationClient, ServerClient, MuxiError, hookimpl",
        "from muxi import FormationClient; FormationClient(url='http://localhost:1', client_key='k')",
        "from muxi import FormationClient; FormationClient.get_memories.call('ada')",
    ],
)
def test_the_core_loads_no_http_library(code: str) -> None:
    assert loaded_by(code) == set()


def test_a_common_payload_loads_no_marshmallow() -> None:
    code = "from muxi import FormationClient\nfrom muxi.schemas import SchemaRegistry\n"
    assert loaded_by(code + "SchemaRegistry().check_request(FormationClient.chat.call('x'))") == set()
    rare = "SchemaRegistry().check_request(FormationClient.chat.call({'message': 'x', 'threshold_seconds': 5}))"
    assert loaded_by(code + rare) == {"marshmallow"}


def constants_classes_and_the_rest(name: str) -> tuple[bool, bool, str]:
    return not name.isupper(), not name[0].isupper(), name


def test_every_public_name_is_there_and_in_order() -> None:
    assert muxi.__all__ == sorted(muxi.__all__, key=constants_classes_and_the_rest)
    for name in muxi.__all__:
        assert getattr(muxi, name) is getattr(muxi, name)
    assert set(muxi.__all__) <= set(dir(muxi))
    assert not [name for name in muxi._HOME_OF if name not in muxi.__all__]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'muxi' has no attribute 'FormationKlient'"):
        _ = muxi.FormationKlient
    with pytest.raises(ImportError):
        exec("from muxi import FormationKlient")  # noqa: S102  what is tested


@pytest.mark.parametrize("name", ["muxi.formation", "muxi.server", "muxi.errors"])
def test_the_official_sdks_import_paths_work(name: str) -> None:
    assert loaded_by(f"import {name}") == set()


def test_star_imports_what_is_public() -> None:
    names: dict[str, object] = {}
    exec("from muxi import *", names)  # noqa: S102  what is tested
    assert set(muxi.__all__) <= names.keys()
