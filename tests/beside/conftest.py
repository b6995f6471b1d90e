"""Fixtures of the tests beside the tools of others: environments, loopback servers, programs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.beside.environments import EnvironmentMissing, provide_environment
from tests.beside.loopback import Formation
from tests.requirements import report_missing
from tests.transports.raw_server import RawServer, Script, serving

PROGRAMS = Path(__file__).parent / "programs"

#: The longest that a program may run, in seconds.
PATIENCE = 120

Serve = Callable[..., RawServer]


@dataclass(frozen=True)
class Run:
    """What a program noted, and what the formation was asked meanwhile.

    The formation's address is noted as ``http://formation``, so that two runs can be compared.
    """

    phases: dict[str, dict[str, Any]]
    formation: Formation
    #: How many connections the formation has accepted.
    connections: int

    def answers(self, phase: str) -> list[str]:
        """What the calls of a phase got: three calls, and the text of a stream."""
        found: list[str] = self.phases[phase]["answers"]
        return found

    def seen(self, phase: str) -> Any:
        """What the tool saw of a phase."""
        return self.phases[phase]["seen"]

    def notes(self) -> dict[str, tuple[list[str], Any]]:
        """Everything that the same program has to note with another caller."""
        return {name: (phase["answers"], phase["seen"]) for name, phase in self.phases.items()}

    def asked(self) -> list[tuple[str, list[str]]]:
        """Every request to the formation, with the headers that hand on a trace."""
        return self.formation.asked

    def lane(self, phase: str) -> str:
        """What ``explain`` said of the next request when a phase began; empty without lanes."""
        return str(self.phases[phase]["lane"])

    def assert_direct(self, phase: str) -> None:
        """The requests of a phase took the direct lane, where there are lanes."""
        if lane := self.lane(phase):
            assert re.search(r"\blane: direct\b", lane), lane

    def assert_full(self, phase: str, reason: str) -> None:
        """The requests of a phase took the full lane, where there are lanes; a reason is a part of the explanation."""
        if lane := self.lane(phase):
            assert re.search(r"\blane: full\b", lane), lane
            assert reason in lane.partition("lane: full")[2], lane


RunProgram = Callable[..., Run]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that runs a script for each connection."""
    with contextlib.ExitStack() as stack:

        def start(script: Script, **options: Any) -> RawServer:
            return stack.enter_context(serving(script, **options))

        yield start


@pytest.fixture
def run_program(serve: Serve, tmp_path: Path) -> RunProgram:
    """Run a program of ``programs`` in an environment, with a formation of its own."""

    def run(
        environment: str,
        program: str,
        caller: str,
        *,
        formation: Formation | None = None,
        server: RawServer | None = None,
        variables: dict[str, str] | None = None,
        **options: Any,
    ) -> Run:
        try:
            python = provide_environment(environment)
        except EnvironmentMissing as error:
            report_missing(
                f"the environment {environment!r} cannot be made ({error})",
                "python -m tests.beside.environments makes it, with a package index in reach",
            )
        formation = formation or Formation()
        server = server or serve(formation)
        folder = tmp_path / f"{program} {caller}"
        folder.mkdir(exist_ok=True)
        given = {"url": server.url, "caller": caller, "late": False, "folder": str(folder), **options}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        done = subprocess.run(
            [str(python), str(PROGRAMS / f"{program}.py"), json.dumps(given)],
            env={**kept, "MUXI_TRACING": "0", "PYTHONDONTWRITEBYTECODE": "1", **(variables or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        shown = done.stdout.splitlines()[-1].replace(f"127.0.0.1:{server.port}", "formation")
        phases = json.loads(shown)
        return Run({phase["phase"]: phase for phase in phases}, formation, server.connections)

    return run


@pytest.fixture(params=[False, True], ids=["started before", "started after"])
def late(request: pytest.FixtureRequest) -> bool:
    """Whether the tool is started after the client's first call."""
    return bool(request.param)
