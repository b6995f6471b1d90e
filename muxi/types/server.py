"""How a server is, and what its logs have (the wire's ``server.md``, sections 1, 11 and 14)."""

from typing import TypedDict

__all__ = [
    "FormationCounts",
    "FormationLogEvent",
    "FormationLogs",
    "LineCounts",
    "LogLines",
    "PortPool",
    "ServerHealth",
    "ServerIdentity",
    "ServerProcess",
    "ServerStatus",
]


class ServerHealth(TypedDict):
    """A server's word on itself, without a signature."""

    success: bool
    #: ``ok``
    status: str
    version: str


class FormationCounts(TypedDict):
    """How many formations a server has; those that are starting or unhealthy count in ``total`` only."""

    running: int
    stopped: int
    crashed: int
    total: int


class PortPool(TypedDict):
    """The ports that a server gives to its formations."""

    allocated: int
    available: int
    total: int


class ServerProcess(TypedDict):
    """The server as a process."""

    go_version: str
    goroutines: int


class ServerIdentity(TypedDict):
    """Which server this is; ``uptime`` in seconds."""

    id: str
    version: str
    uptime: int


class ServerStatus(TypedDict):
    """What a server runs and has room for."""

    formations: FormationCounts
    port_pool: PortPool
    runtime: ServerProcess
    server: ServerIdentity


class LogLines(TypedDict, total=False):
    """The last lines of each output that was asked for; None where there is nothing."""

    stdout: list[str] | None
    stderr: list[str] | None


class LineCounts(TypedDict):
    """How many lines there are in all; 0 for an output that was not asked for."""

    stdout: int
    stderr: int


class FormationLogs(TypedDict):
    """What a formation's process has printed."""

    formation_id: str
    logs: LogLines
    total_lines: LineCounts


class _FormationLogEventAlways(TypedDict):
    #: ``connected`` comes first, then one ``log`` for each line.
    type: str
    #: The frame as it came: its name and its data.
    event: str
    data: str


class FormationLogEvent(_FormationLogEventAlways, total=False):
    """An event of :meth:`muxi.ServerClient.stream_formation_logs`."""

    formation_id: str
    #: What the process has printed, without its line end.
    line: str
