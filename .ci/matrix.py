"""Builds the distribution, checks it, and runs the suite against it in clean environments.

``make matrix`` calls it. Each Python from 3.10 to 3.14 that the machine has gets two environments below ``.matrix/``:
one with the lowest version of every dependency that ``setup.cfg`` allows, one with the newest. The suite runs against
the installed wheel, in a copy of the checkout without the sources; then the sdist takes the wheel's place, and has to
install the same files. The results are written to
``docs/_generated/matrix.md``, which the page on compatibility includes.

Arguments: versions (``3.12``) and kinds (``lowest``, ``newest``) to restrict the run to, which leaves the other rows of
the table as they are; ``--quick`` installs and imports, leaves the suite out, and writes nothing.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".matrix"
TABLE = ROOT / "docs" / "_generated" / "matrix.md"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
KINDS = ("lowest", "newest")

#: Extras that the suite needs; those of linters and documentation stay out, so that their pins do not decide versions.
EXTRAS = ("async", "bundles", "cli", "socks", "test", "tracing", "cache", "prometheus")

#: Tests of the checkout, not of the installed distribution: they build it, type-check it, or read its sources.
NOT_INSTALLED = (
    "tests/packaging",
    "tests/typing",
    "tests/docs/test_contributing.py",
    "tests/docs/test_troubleshooting.py",
    "tests/doors/test_names.py",
    "tests/growth/test_expressions.py",
    "tests/growth/test_functions.py",
)

#: The first release that can be installed on a Python, where that is later than what ``setup.cfg`` states.
FIRST_WHEELS = {"PyYAML": {"3.12": "6.0.1", "3.13": "6.0.2", "3.14": "6.0.3"}}


class Row(NamedTuple):
    """One line of the table."""

    python: str
    kind: str
    versions: str
    verdict: str
    seconds: float


class Unfit(Exception):
    """A distribution is not what it should be."""


def main(arguments: list[str]) -> int:
    """Run the matrix; 0 if every environment passed."""
    quick = "--quick" in arguments
    wanted = [argument for argument in arguments if argument != "--quick"]
    versions = [version for version in VERSIONS if version in wanted] or list(VERSIONS)
    kinds = [kind for kind in KINDS if kind in wanted] or list(KINDS)
    WORK.mkdir(exist_ok=True)
    wheel = build()
    tree = checkout_without_sources()
    rows = []
    for version in versions:
        python = find_python(version)
        if python is None:
            print(f"Python {version} is not on this machine: left out")
            rows += [Row(version, kind, "", "not on this machine", 0.0) for kind in kinds]
            continue
        for kind in kinds:
            rows.append(run(python, version, kind, wheel, tree, quick=quick))
            if not quick:
                keep(rows)
    print(table(rows))
    if not quick:
        keep(rows)
    return int(any(row.verdict.startswith("failed") for row in rows))


def keep(rows: list[Row]) -> None:
    """Write rows into the table, beside those of earlier runs."""
    TABLE.parent.mkdir(exist_ok=True)
    earlier = read_table(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else []
    TABLE.write_text(table(merged(earlier, rows)), encoding="utf-8")


def build() -> Path:
    """Build sdist and wheel twice, check that both wheels are the same bytes, and look into them."""
    tools = environment(sys.executable, WORK / "tools")
    pip(tools, "install", "--quiet", "build", "twine", "setuptools>=77")
    stamp = output("git", "log", "-1", "--format=%ct")
    digests = []
    for attempt in ("first", "second"):
        target = WORK / "dist" / attempt
        remove(target)
        command = [tools, "-m", "build", "--outdir", str(target), str(ROOT)]
        call(command, env={**os.environ, "SOURCE_DATE_EPOCH": stamp})
        (made,) = target.glob("*.whl")
        digests.append(hashlib.sha256(made.read_bytes()).hexdigest())
    if digests[0] != digests[1]:
        raise SystemExit(f"the wheel is not reproducible: {digests[0]} and {digests[1]}")
    (wheel,), (sdist,) = (WORK / "dist" / "first").glob("*.whl"), (WORK / "dist" / "first").glob("*.tar.gz")
    call([tools, "-m", "twine", "check", "--strict", str(wheel), str(sdist)])
    check_contents(wheel, sdist)
    print(f"{wheel.name}: sha256 {digests[0]}, built twice with the same bytes")
    return wheel


def check_contents(wheel: Path, sdist: Path) -> None:
    """Refuse a distribution that lacks a module or has something that is not the SDK's."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    with tarfile.open(sdist) as packed:
        sources = {name.partition("/")[2] for name in packed.getnames()}
    tracked = output("git", "ls-files", "muxi", "muxi_transports").split()
    missing = [name for name in tracked if name not in names or name not in sources]
    foreign = [name for name in names if not name.startswith(("muxi/", "muxi_transports/", "muxi_client-"))]
    if missing or foreign:
        raise SystemExit(f"the distribution lacks {missing} and should not have {foreign}")


def checkout_without_sources() -> Path:
    """A copy of what git tracks, less the packages: what is imported can only be what is installed."""
    tree = WORK / "checkout"
    remove(tree)
    tree.mkdir(parents=True)
    for name in output("git", "ls-files").splitlines():
        if name.startswith(("muxi/", "muxi_transports/")) or not (ROOT / name).is_file():
            continue
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return tree


# "-I" keeps the checkout off the import path: what is asked about is what is installed.
def run(python: str, version: str, kind: str, wheel: Path, tree: Path, *, quick: bool) -> Row:
    """Install the wheel into an environment of its own and run the suite there."""
    began = time.monotonic()
    print(f"-- Python {version}, {kind} dependencies", flush=True)
    try:
        inside = environment(python, WORK / f"{version}-{kind}")
        constraints = WORK / f"{version}-{kind}.txt"
        constraints.write_text("\n".join(lowest(version)) if kind == "lowest" else "", encoding="utf-8")
        wanted = f"{wheel}[{','.join(EXTRAS)}]"
        pip(inside, "install", "--quiet", "--upgrade", "-c", str(constraints), wanted, *test_tools())
        call([inside, "-I", "-c", "import muxi_transports; from muxi import FormationClient, AsyncFormationClient"])
        if not quick:
            left_out = [f"--ignore={name}" for name in NOT_INSTALLED]
            chosen = ["-m", "not slow and not browser", *left_out]
            command = [inside, "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", *chosen]
            call(command, cwd=tree)
        install_sdist(inside, wheel)
    except subprocess.CalledProcessError as error:
        verdict = f"failed: {Path(error.cmd[0]).name} {' '.join(map(str, error.cmd[1:4]))}"
    except Unfit as error:
        verdict = f"failed: {error}"
    else:
        verdict = "installs and imports" if quick else "passed"
    return Row(version, kind, installed(inside), verdict, time.monotonic() - began)


def install_sdist(inside: str, wheel: Path) -> None:
    """Install the sdist in place of the wheel, and compare what it installs with what the wheel has."""
    (sdist,) = wheel.parent.glob("*.tar.gz")
    pip(inside, "install", "--quiet", "--no-deps", "--force-reinstall", str(sdist))
    listing = "import importlib.metadata as m; print(*sorted(map(str, m.distribution('muxi-client').files)), sep='\\n')"
    installed_files = set(output(inside, "-I", "-c", listing).splitlines())
    with zipfile.ZipFile(wheel) as archive:
        expected = {place_of(name) for name in archive.namelist() if name.endswith((".py", "py.typed"))}
    if missing := expected - installed_files:
        raise Unfit(f"the sdist does not install {', '.join(sorted(missing))}")
    call([inside, "-I", "-c", "import muxi, muxi_transports"])


def place_of(name: str) -> str:
    """Where a file of a wheel is installed, seen from the packages: data go to the environment's own folder."""
    before, data, rest = name.partition(".data/data/")
    return f"../../../{rest}" if data else before


def lowest(version: str) -> list[str]:
    """A constraint for each dependency: the lowest version that ``setup.cfg`` allows.

    OpenTelemetry's packages go in step, so those that only the suite needs are held to their lowest version too.
    """
    pinned: dict[str, str] = {}
    for requirement in [*requirements(), *(tool for tool in test_tools() if tool.startswith("opentelemetry"))]:
        name, _, floor = re.match(r"([A-Za-z0-9_.-]+)(\[[^]]*\])?\s*>=\s*([0-9][^,;\s]*)", requirement).groups()  # type: ignore[union-attr]  # all of ours have a floor
        pinned[name] = FIRST_WHEELS.get(name, {}).get(version, floor)
    return [f"{name}=={floor}" for name, floor in pinned.items()]


def requirements() -> list[str]:
    """The requirements of the distribution and of the extras that the suite needs, those with a lowest version."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = config["options"]["install_requires"].splitlines()
    extras = config["options.extras_require"]
    for extra in EXTRAS:
        listed += extras.get(extra, "").splitlines()
    return [line.strip() for line in listed if ">=" in line]


def test_tools() -> list[str]:
    """What the suite itself needs, at its newest: everything in the ``dev`` extra that is no linter."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    linters = ("mypy", "pyright", "ruff", "import-linter", "types-", "muxi-client")
    lines = [line.strip() for line in config["options.extras_require"]["dev"].splitlines()]
    return [line for line in lines if line and not line.startswith(linters)]


def installed(python: str) -> str:
    """The versions of the five dependencies, as the table shows them."""
    listed = json.loads(output(python, "-m", "pip", "list", "--format=json"))
    versions = {entry["name"].lower(): entry["version"] for entry in listed}
    names = ("requests", "urllib3", "sseclient-py", "pluggy", "marshmallow")
    return ", ".join(f"{name} {versions.get(name, '—')}" for name in names)


def find_python(version: str) -> str | None:
    """A Python of this version that starts, from the PATH or from pyenv's folder."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in candidates:
        if candidate is None:
            continue
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return candidate
    return None


def environment(python: str, path: Path) -> str:
    """The Python of a virtual environment, made anew."""
    remove(path)
    call([python, "-m", "venv", str(path)])
    return str(path / "bin" / "python")


def remove(path: Path) -> None:
    """Delete a folder of this script's own; anything outside ``.matrix`` is refused."""
    if path.is_symlink() or WORK not in path.resolve().parents:
        raise SystemExit(f"{path} is not a folder of this script's own")
    if path.exists():
        shutil.rmtree(path)


def merged(earlier: list[Row], rows: list[Row]) -> list[Row]:
    """Every Python with both kinds of dependencies: the row of this run, else an earlier one, else none."""
    found = {(row.python, row.kind): row for row in (*earlier, *rows)}
    return [
        found.get((version, kind), Row(version, kind, "", "not run", 0.0)) for version in VERSIONS for kind in KINDS
    ]


def read_table(text: str) -> list[Row]:
    """The rows of a table that :func:`table` has made."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:] if line]
    return [Row(python, kind, versions, verdict, float(seconds)) for python, kind, versions, verdict, seconds in cells]


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| Python | dependencies | versions | result | seconds |",
        "|---|---|---|---|---|",
        *(f"| {row.python} | {row.kind} | {row.versions} | {row.verdict} | {row.seconds:.0f} |" for row in rows),
    ]
    return "\n".join([*lines, ""])


def call(command: list[str], **options: object) -> None:
    """Run a command and fail with it."""
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload]  # the options of subprocess.run


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def pip(python: str, *arguments: str) -> None:
    """Run pip of an environment."""
    call([python, "-m", "pip", "--disable-pip-version-check", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
