"""The state and the logs of a server."""

from muxi.types.records import TypedDict

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
    """The health of a server; needs no signature."""

    success: bool
    #: ``ok``
    status: str
    version: str


class FormationCounts(TypedDict):
    """The number of a server's formations; starting and unhealthy ones count in ``total`` only."""

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
    """The identity of a server; ``uptime`` in seconds."""

    id: str
    version: str
    uptime: int


class ServerStatus(TypedDict):
    """The status of a server: its formations and its free ports."""

    formations: FormationCounts
    port_pool: PortPool
    runtime: ServerProcess
    server: ServerIdentity


class LogLines(TypedDict, total=False):
    """The last lines of each output that was asked for; None where there is nothing."""

    stdout: list[str] | None
    stderr: list[str] | None


class LineCounts(TypedDict):
    """The number of lines in all; 0 for an output that was not requested."""

    stdout: int
    stderr: int


class FormationLogs(TypedDict):
    """The output of a formation's process."""

    formation_id: str
    logs: LogLines
    total_lines: LineCounts


class _FormationLogEventAlways(TypedDict):
    #: ``connected`` comes first, then one ``log`` for each line.
    type: str
    #: Name and data of the raw frame.
    event: str
    data: str


class FormationLogEvent(_FormationLogEventAlways, total=False):
    """An event of :meth:`muxi.ServerClient.stream_formation_logs`."""

    formation_id: str
    #: A line of the process's output, without its line end.
    line: str
