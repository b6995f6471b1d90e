"""The lab: both formations with all that they need, started and stopped together."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType

from tests.live.lab.cutting import CuttingProxy
from tests.live.lab.formations import KINDS, Kind, LiveFormation
from tests.live.lab.installing import install
from tests.live.lab.model import StubModel
from tests.live.lab.places import HOME, PROGRAMS, RUNTIME_PYTHON, make_folder, remove_folder
from tests.live.lab.postgres import Postgres
from tests.live.lab.processes import Program, free_port, listens
from tests.live.lab.receiver import HookReceiver

__all__ = ["Lab"]

_RUN = HOME / "run"


class Lab:
    """The running lab, a context manager. It begins with empty folders each time; its logs stay until the next time."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Lab:
        install()
        remove_folder(_RUN)
        make_folder(_RUN)
        with ExitStack() as stack:
            self.model = StubModel()
            stack.callback(self.model.close)
            self.hooks = HookReceiver()
            stack.callback(self.hooks.close)
            postgres = Postgres(_RUN / "postgres")
            stack.callback(postgres.stop)
            port = free_port()
            environment = {**os.environ, "HOME": str(_RUN), "FASTMCP_CHECK_FOR_UPDATES": "off"}
            tools = Program(
                [str(RUNTIME_PYTHON), str(PROGRAMS / "repository_tools.py"), str(port)],
                _RUN / "repository-tools.log",
                env=environment,
            )
            stack.callback(tools.stop)
            tools.wait_until(lambda: listens(port))
            shared = {"hooks_url": self.hooks.url, "tools_url": f"http://127.0.0.1:{port}/mcp"}
            places: dict[Kind, dict[str, str]] = {"multi": {**shared, "database": postgres.url}, "single": shared}
            self.formations: dict[Kind, LiveFormation] = {}
            self.proxies: dict[Kind, CuttingProxy] = {}
            for kind in KINDS:
                formation = LiveFormation(kind, _RUN / kind, places[kind], self.model.url)
                stack.callback(formation.stop)
                self.formations[kind] = formation
            for kind, formation in self.formations.items():
                formation.wait_until_ready()
                self.proxies[kind] = CuttingProxy(formation.port)
                stack.callback(self.proxies[kind].close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
