"""A formation that the platform's runtime runs: laid out as files, started, commanded and stopped."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from tests.live.lab.places import FORMATIONS, PROGRAMS, RUNTIME_PYTHON, make_folder
from tests.live.lab.processes import LabError, Program, free_port

__all__ = ["ADMIN_KEY", "CLIENT_KEY", "KINDS", "Kind", "LiveFormation"]

#: ``multi`` keeps several users apart and has PostgreSQL; ``single`` has SQLite, and every user is the user ``0``.
Kind = Literal["multi", "single"]
KINDS: tuple[Kind, ...] = ("multi", "single")

ADMIN_KEY = "fma_live_admin_0123456789"
CLIENT_KEY = "fmc_live_client_0123456789"

_SECRETS = {
    "ADMIN_KEY": ADMIN_KEY,
    "CLIENT_KEY": CLIENT_KEY,
    "OPENAI_API_KEY": "sk-stub-0123456789abcdef0123",
    "SPARE_TOKEN": "spare-token-value-123456",
    "USER_CREDENTIALS_GITHUB": "placeholder-for-user-credentials",
}


class LiveFormation:
    """A formation of one kind; it runs until it is stopped.

    Args:
        kind: which.
        folder: where its files and logs are to be; the parent exists.
        places: the addresses that its files name: ``database``, ``hooks_url``, ``tools_url``.
        model_url: the address of the model.
    """

    def __init__(self, kind: Kind, folder: Path, places: dict[str, str], model_url: str) -> None:
        self.kind = kind
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        make_folder(folder)
        for name in ("formation", "home", "logs"):
            (folder / name).mkdir()
        named = {
            "database": f"sqlite:///{folder}/memory.db",
            "hooks_url": "",
            "tools_url": "",
            **places,
            "logs": str(folder / "logs"),
            "port": str(self.port),
            "programs": str(PROGRAMS),
            "python": str(RUNTIME_PYTHON),
        }
        for source in (FORMATIONS / "shared", FORMATIONS / kind):
            _lay_out(source, folder / "formation", named)
        reading, writing = os.pipe()
        self._reports = os.fdopen(reading, encoding="utf-8")
        settings = {
            "folder": str(folder / "formation"),
            "port": self.port,
            "model_url": model_url,
            "home": str(folder / "home"),
            "secrets": _SECRETS,
            "reports": writing,
        }
        (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
        command = [str(RUNTIME_PYTHON), str(PROGRAMS / "run_formation.py"), str(folder / "settings.json")]
        self._program = Program(
            command, folder / f"formation-{kind}.log", stdin=-1, pass_fds=(writing,), env=_environment(), cwd=folder
        )
        os.close(writing)

    def wait_until_ready(self) -> None:
        """Wait until it answers requests.

        Raises:
            LabError: it has ended before.
        """
        if not self._read_report().get("ready"):
            raise LabError(f"the {self.kind} formation is not ready")

    def command(self, do: str, **arguments: Any) -> None:
        """Have it do what its HTTP interface cannot: see ``programs/run_formation.py``.

        Raises:
            LabError: it could not.
        """
        self._program.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._program.stdin.flush()
        report = self._read_report()
        if not report.get("done"):
            raise LabError(f"{do}: {report.get('failed')}")

    def stop(self) -> None:
        """End it."""
        self._program.stop()
        self._reports.close()

    def _read_report(self) -> dict[str, Any]:
        line = self._reports.readline()
        if not line:
            self._program.wait_until(lambda: False, timeout=10)  # raises with the end of its log
        report: dict[str, Any] = json.loads(line)
        return report


def _lay_out(source: Path, target: Path, named: dict[str, str]) -> None:
    """Copy the files of a formation, with ``<<name>>`` replaced."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
            continue
        text = path.read_text("utf-8")
        for name, value in named.items():
            text = text.replace(f"<<{name}>>", value)
        place.write_text(text, "utf-8")
        shutil.copymode(path, place)


def _environment() -> dict[str, str]:
    """Return the environment of the runtime's process: nothing of ours leads it to other packages or hosts."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MUXI_", "VIRTUAL_ENV"))
    }
