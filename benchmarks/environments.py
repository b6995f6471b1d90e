"""Virtual environments that are measured: this SDK as a wheel, the official one, and made-up distributions beside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".bench"

#: The variables that name trusted certificate authorities: they take precedence over what a measurement says.
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

#: What both environments get beside their SDK, so that the bare libraries can be measured beside them.
LIBRARIES = ("requests", "urllib3", "httpx", "aiohttp", "certifi")


def our_python() -> str:
    """The Python of an environment with this SDK, installed as users get it and compiled."""
    python = _environment(WORK / "ours")
    pip(python, "install", "--quiet", *LIBRARIES, f"{ROOT}[async]")
    # The version stays the same while the sources change, so that pip would keep what it installed before.
    pip(python, "install", "--quiet", "--no-deps", "--force-reinstall", str(ROOT))
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    return python


def official_python() -> str | None:
    """The Python of an environment with the official SDK; None where the package index cannot be reached."""
    python = _environment(WORK / "official")
    try:
        pip(python, "install", "--quiet", "muxi", *LIBRARIES)
    except subprocess.CalledProcessError:
        return None
    return python


def distributions(count: int) -> Path:
    """A folder with that many small distributions, each with entry points of its own, as an import path."""
    folder = WORK / f"distributions-{count}"
    for number in range(count):
        info = folder / f"made_up_{number:03d}-1.0.dist-info"
        if info.exists():
            continue
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made-up-{number:03d}\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"made_up_{number:03d}/part{part}.py,,\n" for part in range(40)))
        if number % 3 == 0:  # about a third of what is installed anywhere has entry points
            (info / "entry_points.txt").write_text(f"[console_scripts]\nmade-up-{number:03d} = made_up:main\n")
    return folder


def variables(*paths: Path) -> dict[str, str]:
    """The process environment of a measurement: nothing of the caller's that leads to other packages or settings."""
    unwanted = ("MUXI_", "PYTHON", "PIP_", "VIRTUAL_ENV", *AUTHORITIES)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    return kept


def _environment(path: Path) -> str:
    python = path / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
    return str(python)


def pip(python: str, *arguments: str) -> None:
    """Run pip in an environment."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    trusted = {name: os.environ[name] for name in AUTHORITIES if name in os.environ}
    subprocess.run(command, check=True, env={**variables(), **trusted}, stderr=subprocess.DEVNULL)
