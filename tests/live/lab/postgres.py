"""A PostgreSQL of the lab's own, on loopback."""

from __future__ import annotations

import os
import pwd
import signal
from pathlib import Path
from typing import Any

from tests.live.lab.installing import find_postgres_programs
from tests.live.lab.places import make_folder
from tests.live.lab.processes import LabError, Program, answers, free_port, run_to_end

__all__ = ["Postgres"]

_USER = _DATABASE = "muxi"


class Postgres:
    """A running server with an empty database.

    Args:
        folder: where its data and its log are to be; the parent exists.
    """

    def __init__(self, folder: Path) -> None:
        self._programs = find_postgres_programs()
        self._as_user = _unprivileged()
        data = make_folder(folder) / "data"
        if self._as_user:
            os.chown(folder, self._as_user["user"], self._as_user["group"])
        port = free_port()
        tools = str(self._programs)
        initdb = [f"{tools}/initdb", "-D", str(data), "-U", _USER, "--auth=trust", "-E", "UTF8", "--locale=C"]
        run_to_end(initdb, "initdb", cwd=folder, **self._as_user)
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=64MB")
        command = [f"{tools}/postgres", "-D", str(data), "-p", str(port)]
        command += [word for setting in settings for word in ("-c", setting)]
        self._program = Program(command, folder.parent / "postgres.log", cwd=folder, **self._as_user)
        try:
            where = ["-h", "127.0.0.1", "-p", str(port), "-U", _USER]
            # It listens before it is ready.
            self._program.wait_until(lambda: answers([f"{tools}/pg_isready", "-q", *where]))
            run_to_end([f"{tools}/createdb", *where, _DATABASE], "createdb")
            extension = "create extension if not exists vector"
            run_to_end([f"{tools}/psql", *where, "-q", "-c", extension, _DATABASE], "the extension vector")
        except LabError:
            self.stop()
            raise
        self.url = f"postgresql://{_USER}@127.0.0.1:{port}/{_DATABASE}"

    def stop(self) -> None:
        """End it at once: nobody needs the data any more."""
        self._program.stop(signal.SIGINT)


def _unprivileged() -> dict[str, Any]:
    """Return what starts a process as another user where this one is root, which PostgreSQL refuses to run as."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise LabError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
