"""What is in the sdist and in the wheel, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from muxi.version import __version__
from tests.packaging.conftest import Environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_is_typed_and_licensed(files: list[str]) -> None:
    assert {"muxi/py.typed", "muxi_transports/py.typed"} <= set(files)
    assert f"muxi_client-{__version__}.dist-info/licenses/LICENSE" in files


def test_the_wheel_has_every_module_and_nothing_else(files: list[str], source_tree: Path) -> None:
    packaged = {name for name in files if ".dist-info/" not in name and ".data/" not in name}
    sources = {
        path.relative_to(source_tree).as_posix()
        for package in ("muxi", "muxi_transports")
        for path in (source_tree / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed" or "cli/trace/page" in path.parent.as_posix()
    }
    assert packaged == sources
    assert not [name for name in packaged if name.startswith("muxi/runtime")]


def test_the_wheel_has_the_examples_where_the_page_on_examples_finds_them(
    files: list[str], source_tree: Path, wheel: Path, environment: Environment
) -> None:
    folder = f"muxi_client-{__version__}.data/data/share/muxi-client/examples/"
    packaged = {name.removeprefix(folder) for name in files if ".data/" in name}
    examples = source_tree / "examples"
    assert packaged == {
        path.relative_to(examples).as_posix()
        for path in examples.rglob("*")
        if path.is_file() and path.relative_to(examples).parts[0] != "plugin-package"
    }
    environment.install(wheel)
    page = (source_tree / "docs" / "examples.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    found = [Path(line) for line in environment.python(program).split()]
    assert {path.name for path in found} == {Path(name).name for name in packaged if name.endswith(".py")}
    assert all(path.is_file() for path in found)


def test_the_wheel_describes_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"muxi_client-{__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["Name"] == "muxi-client"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    required = {line.split(">=")[0].split("<")[0] for line in metadata.get_all("Requires-Dist", []) if ";" not in line}
    assert required == {"requests", "urllib3", "sseclient-py", "pluggy", "marshmallow"}
    assert "muxi-client = muxi.cli:main" in scripts
    assert "hook-dirs = muxi.__pyinstaller:get_hook_dirs" in scripts


def test_the_sdist_has_the_sources_and_the_examples_and_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.cfg", "muxi/py.typed", "muxi_transports/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests", "docs"))]
    assert "examples/chat.py" in names


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import muxi", {"requests", "urllib3", "aiohttp", "marshmallow", "pluggy", "asyncio", "muxi_transports"}),
        ("from muxi import FormationClient", {"requests", "urllib3", "aiohttp", "marshmallow", "muxi_transports"}),
        (
            "from muxi import FormationClient; FormationClient(url='http://127.0.0.1:9', client_key='k')",
            {"requests", "urllib3", "aiohttp", "marshmallow", "muxi_transports"},
        ),
    ],
    ids=["package", "client", "instance"],
)
def test_what_is_not_used_is_not_loaded(statement: str, unwanted: set[str]) -> None:
    code = f"import sys; {statement}; print(*sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
