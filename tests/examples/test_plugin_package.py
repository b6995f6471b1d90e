"""The example of a third party's package, as a stranger gets it: built, installed, and tested where it is installed."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT, Environment, environment, sdist, source_tree, wheel

__all__ = ["environment", "sdist", "source_tree", "wheel"]  # fixtures

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "examples" / "plugin-package"

#: Who pays for a request, and the plugins that said so; to be run where the package is installed.
WHO_PAYS = """
from muxi import FormationClient
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
class Spy(MemoryTransport):
    def send(self, request):
        print(request.headers.get("X-Acme-Cost-Centre"))
        return super().send(request)
FormationClient(transport=Spy(EmbeddedFormation()), url="http://memory", client_key="any").health()
"""


@pytest.fixture
def installed(environment: Environment, wheel: Path, tmp_path: Path) -> Environment:
    """An environment with the SDK and the package, both from wheels."""
    sources, built = tmp_path / "sources", tmp_path / "built"
    shutil.copytree(PACKAGE, sources, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    environment.pip(
        "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", built, sources
    )
    (package,) = built.glob("acme_muxi-*.whl")
    environment.install(wheel, package)
    shutil.copytree(sources / "tests", environment.path / "tests")
    shutil.copy(sources / "pyproject.toml", environment.path)
    return environment


def test_a_strangers_package_works_as_installed(installed: Environment, tmp_path: Path) -> None:
    (package,) = (tmp_path / "built").iterdir()
    with zipfile.ZipFile(package) as archive:
        assert {"acme_muxi/cost_centre.py", "acme_muxi/shadow.py", "acme_muxi/py.typed"} <= set(archive.namelist())

    # pytest-asyncio, which the developers have and the package does not use, warns of a setting that is not there.
    tested = installed.run("python", "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "tests")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert installed.python("import acme_muxi; print(acme_muxi.__file__)").startswith(str(installed.path))

    assert installed.python(WHO_PAYS) == "unassigned\n"
    for disabled in ("1", "acme.cost_centre"):
        assert installed.python(f"import os; os.environ['MUXI_DISABLE_PLUGINS'] = {disabled!r}\n{WHO_PAYS}") == "None\n"
    names = "from muxi.registry import TransportRegistry; print(TransportRegistry().names())"
    assert "'acme-shadow'" in installed.python(names)

    installed.pip("uninstall", "--quiet", "--yes", "acme-muxi")
    assert installed.python(WHO_PAYS) == "None\n"


def test_this_environment_is_left_alone() -> None:
    assert "acme_muxi" not in sys.modules
