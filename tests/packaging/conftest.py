"""The distribution as users get it, and small environments to install it into."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

ROOT = Path(__file__).parents[2]

#: What belongs to the project; the rest of a working tree is somebody's caches and environments.
SOURCES = (
    "muxi",
    "muxi_transports",
    "tests",
    "docs",
    "examples",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


#: Pythons before 3.10.12 and 3.11.4 know no filters, later ones warn where none is named.
_FILTER: Literal["data"] | None = "data" if hasattr(tarfile, "data_filter") else None


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees the dependencies of the one which runs the tests."""

    path: Path

    @property
    def bin(self) -> Path:
        return self.path / ("Scripts" if os.name == "nt" else "bin")

    def pip(self, *arguments: str | Path) -> None:
        """Run pip on it: offline, and with nothing but what it is told to install."""
        command = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def install(self, *what: str | Path) -> None:
        """Install wheels, or ``-e`` and a source tree."""
        self.pip("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", *what)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run something of its own ``bin``, in its directory."""
        first, *rest = map(str, command)
        return subprocess.run(
            [str(self.bin / first), *rest],
            capture_output=True,
            text=True,
            cwd=self.path,
            env=_environment(),
            check=False,
        )

    def python(self, code: str) -> str:
        """What a piece of Python prints; it must succeed."""
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTHON", "PIP_"))}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that building leaves nothing in the working tree."""
    tree = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        elif source.exists():
            shutil.copy(source, tree / name)
    return tree


@pytest.fixture(scope="session")
def sdist(source_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("sdist", source_tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built out of the sdist as an installer would."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    if _FILTER is None:
        shutil.unpack_archive(sdist, unpacked)
    else:
        shutil.unpack_archive(sdist, unpacked, filter=_FILTER)
    (tree,) = unpacked.iterdir()
    return _build("wheel", tree, tmp_path_factory.mktemp("wheel"))


def _build(kind: str, tree: Path, target: Path) -> Path:
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    command = [sys.executable, "-c", code, str(target)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, env=_environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An empty environment beside which the dependencies are found, but nothing else that is called muxi."""
    path = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    made = Environment(path)
    here = Path(made.python("import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    dependencies = tmp_path / "dependencies"
    dependencies.mkdir()
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(site).iterdir():
            if "muxi" not in entry.name and not (dependencies / entry.name).exists():
                (dependencies / entry.name).symlink_to(entry)
    (here / "dependencies.pth").write_text(f"{dependencies}\n")
    yield made
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[[str, Mapping[str, str]], Path]:
    """Make a wheel of a stand-in: a distribution of somebody else's with the given files."""

    def make(name: str, files: Mapping[str, str]) -> Path:
        info = f"{name.replace('-', '_')}-1.0.dist-info"
        contents = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in contents.items())
        target = tmp_path / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(target, "w") as archive:
            for path, text in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(path, text)
        return target

    return make


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
