"""Virtual environments with the tools of others, made on demand below ``.venvs`` and kept between runs.

A tool that exchanges parts of the standard library or of requests must not be near the tests themselves, and two agents
must not be near each other. ``python -m tests.beside.environments`` makes all environments beforehand.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ENVIRONMENTS", "EnvironmentMissing", "provide_environment"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venvs"

#: Requirements by environment, beside those of the project and of its extras ``async`` and ``socks``.
ENVIRONMENTS = {
    "tools": (
        "cachecontrol >=0.14",
        "freezegun >=1.5",
        "httpretty >=1.1.4",
        "pook >=2.1",
        "requests-cache >=1.2",
        "requests-mock >=1.12",
        "requests-toolbelt >=1.0",
        "responses >=0.25",
        "sentry-sdk >=2.20",
        "truststore >=0.10",
        "vcrpy >=8",
    ),
    "opentelemetry": (
        "opentelemetry-instrumentation-aiohttp-client >=0.51b0",
        "opentelemetry-instrumentation-requests >=0.51b0",
        "opentelemetry-instrumentation-urllib3 >=0.51b0",
        "opentelemetry-sdk >=1.30",
    ),
    "datadog": ("ddtrace >=3", "msgpack >=1"),
    "elastic": ("elastic-apm >=6.23",),
    "newrelic": ("newrelic >=10",),
    "xray": ("aws-xray-sdk >=2.14",),
    "codings": (
        "brotli >=1.2",
        "backports.zstd >=1 ; python_version < '3.14'",
        "hypothesis >=6.100",
        "pytest >=8",
        "trustme >=1.1",
    ),
    "gevent": ("gevent >=24.10",),
    "celery": ("celery >=5.4",),
    "notebook": ("ipykernel >=6.29", "jupyter-client >=8"),
    "pyinstaller": ("pyinstaller >=6.10",),
    "lambda": ("awslambdaric >=2",),
    "workers": ("fastapi >=0.115", "gunicorn >=23", "uvicorn >=0.30", "uvicorn-worker >=0.2"),
    "dask": ("distributed >=2024.8",),
    "ray": ("ray >=2.40",),
}


class EnvironmentMissing(Exception):
    """An environment cannot be made; the message says why."""


def provide_environment(name: str) -> Path:
    """The Python interpreter of an environment, which is made if it is missing or its requirements have changed.

    Raises:
        EnvironmentMissing: pip could not install the requirements.
    """
    FOLDER.mkdir(exist_ok=True)
    folder = FOLDER / name
    python = folder / "bin" / "python"
    requirements = [*_requirements_of_project(), *ENVIRONMENTS[name]]
    expected = hashlib.sha256("\n".join([sys.version, str(ROOT), *requirements]).encode()).hexdigest()
    stamp = folder / "requirements.sha256"
    with _locked(FOLDER / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text() != expected:
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
            _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *requirements)
            _add_project(python)
            stamp.write_text(expected)
    return python


def _requirements_of_project() -> list[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    listed = [config["options"]["install_requires"], extras["async"], extras["socks"]]
    return [line.strip() for lines in listed for line in lines.splitlines() if line.strip()]


def _add_project(python: Path) -> None:
    """Put the sources on the path, as an editable install does, without building in the working tree."""
    found = _run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(found.strip()) / "muxi_client_sources.pth").write_text(f"{ROOT}\n")


def _run(*command: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, capture_output=True, text=True, env=kept, check=False)
    if done.returncode:
        raise EnvironmentMissing(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two test processes do not make the same environment."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for each in ENVIRONMENTS:
        print(provide_environment(each))
