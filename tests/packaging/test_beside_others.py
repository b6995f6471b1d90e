"""In one environment with others: the platform's runtime, its official SDK, and the other ``sseclient``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from muxi.client import environment as conflicts

if TYPE_CHECKING:
    from tests.packaging.conftest import Environment

pytestmark = pytest.mark.slow

MakeWheel = Callable[[str, Mapping[str, str]], Path]

#: The files of the official SDK; only the names matter.
OFFICIAL = {
    "muxi/__init__.py": "from .formation import FormationClient\n__all__ = ['FormationClient']\n",
    "muxi/auth.py": "",
    "muxi/client/__init__.py": "",
    "muxi/errors.py": "class MuxiError(Exception): ...\n",
    "muxi/formation.py": "class FormationClient: ...\n",
    "muxi/server.py": "class ServerClient: ...\n",
    "muxi/transport.py": "",
    "muxi/version.py": "__version__ = '1.0'\n",
    "muxi/version_check.py": "",
    "muxi/webhook.py": "",
}

#: As the unrelated distribution has it: a module where sseclient-py has a package.
SSECLIENT = {"sseclient.py": "class SSEClient:\n    def __init__(self, url): ...\n"}

USE = """
import muxi, muxi.runtime
from muxi import FormationClient
print(muxi.runtime.NAME, FormationClient(url="http://127.0.0.1:9", client_key="k"), muxi.__version__)
"""

#: Makes two clients, so that what is said once can be counted.
CREATE = """
import warnings
warnings.simplefilter("always")
from muxi import FormationClient
for _ in range(2):
    FormationClient(url="http://127.0.0.1:9", client_key="k")
"""

STREAM = """
from muxi import FormationClient
list(FormationClient(transport="memory", url="http://memory", client_key="k").chat_stream("hi"))
"""


@pytest.fixture
def runtime(make_wheel: MakeWheel) -> Path:
    """Installs ``muxi/runtime`` and no ``muxi/__init__.py``, as the platform's runtime does."""
    return make_wheel("muxi-runtime", {"muxi/runtime/__init__.py": "NAME = 'the runtime'\n"})


@pytest.fixture(params=["wheel", "editable"])
def ours(request: pytest.FixtureRequest, wheel: Path, source_tree: Path, tmp_path: Path) -> list[str | Path]:
    if request.param == "wheel":
        return [wheel]
    return ["--editable", source_tree]


@pytest.mark.parametrize("order", ["ours first", "theirs first"])
def test_beside_the_runtime(order: str, ours: list[str | Path], runtime: Path, environment: Environment) -> None:
    theirs: list[str | Path] = [runtime]
    for what in (ours, theirs) if order == "ours first" else (theirs, ours):
        environment.install(*what)
    assert environment.python(USE).startswith("the runtime <FormationClient http://127.0.0.1:9/v1> ")
    done = environment.run("muxi-client", "--version")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_runtime_outlives_us(wheel: Path, runtime: Path, environment: Environment) -> None:
    environment.install(wheel, runtime)
    environment.pip("uninstall", "--quiet", "--yes", "muxi-client")
    assert environment.python("import muxi.runtime; print(muxi.runtime.NAME)") == "the runtime\n"


def test_the_official_sdk_was_there_before(wheel: Path, make_wheel: MakeWheel, environment: Environment) -> None:
    environment.install(make_wheel("muxi", OFFICIAL))
    environment.install(wheel)
    # Whether the package still works depends on which files the other has left; either way it says what to do.
    assert environment.run("python", "-c", CREATE).stderr.count(conflicts._OFFICIAL) == 1
    assert "pip uninstall -y muxi muxi-client" in environment.run("muxi-client", "demo").stderr


def test_the_official_sdk_came_later(wheel: Path, make_wheel: MakeWheel, environment: Environment) -> None:
    environment.install(wheel)
    environment.install(make_wheel("muxi", OFFICIAL))
    done = environment.run("muxi-client", "demo")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "The distribution 'muxi' (the platform's official SDK) is installed too" in done.stderr
    assert "pip uninstall -y muxi muxi-client && pip install 'muxi-client[cli]'" in done.stderr

    environment.pip("uninstall", "--quiet", "--yes", "muxi")
    done = environment.run("muxi-client", "demo")
    assert done.returncode == 1
    assert "files of the package 'muxi' are missing" in done.stderr


def test_the_other_sseclient(wheel: Path, make_wheel: MakeWheel, environment: Environment) -> None:
    environment.install(wheel, make_wheel("sseclient", SSECLIENT))
    done = environment.run("python", "-c", CREATE)
    assert done.returncode == 0
    assert done.stderr.count("RuntimeWarning: the distribution 'sseclient' is installed") == 1
    assert "<string>:6: RuntimeWarning" in done.stderr
    done = environment.run("python", "-c", STREAM)
    assert done.returncode == 1
    assert "pip uninstall sseclient sseclient-py && pip install sseclient-py" in done.stderr
    done = environment.run("muxi-client", "demo")
    assert done.stderr.startswith("muxi-client: warning: the distribution 'sseclient' is installed")
