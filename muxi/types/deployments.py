"""Events and results of deployments."""

from muxi.types.records import TypedDict

__all__ = ["DeploymentEvent", "DeploymentResult"]


class _DeploymentEventAlways(TypedDict):
    #: ``progress``, and at the end ``complete``. An ``error`` is raised, not yielded.
    type: str
    #: Name and data of the raw frame.
    event: str
    data: str


class DeploymentEvent(_DeploymentEventAlways, total=False):
    """A step of a deployment, of an update, a start, a restart or a rollback."""

    #: ``extracting``, ``validating``, ``resolving_runtime``, ``downloading_sif``, ``pulling_runner``, ``spawning``,
    #: ``health_check``; of updates also ``spawning_staging``, ``swapping``, ``stopping_old``; of restarts
    #: ``stopping``; of rollbacks ``spawning_previous``, ``stopping_current``.
    stage: str
    #: The stage in words.
    message: str
    #: The runtime's version, once it is known.
    version: str
    #: Number of this health check, and the largest number that there will be.
    attempt: int
    max_attempts: int
    #: Port on which the new version of an update is tested.
    staging_port: int
    #: Per cent; in the server's type, not sent yet.
    progress: int
    # Fields of ``complete``; see DeploymentResult.
    formation_id: str
    port: int
    status: str
    url: str
    health_url: str
    pid: int
    previous_version: str
    new_version: str
    restart_count: int


class _DeploymentResultAlways(TypedDict):
    formation_id: str
    port: int
    #: ``running``
    status: str


class DeploymentResult(_DeploymentResultAlways, total=False):
    """The result of a deployment: the data of its ``complete`` event."""

    #: As the server sees itself: always ``localhost``.
    url: str
    health_url: str
    pid: int
    #: Counters of updates and rollbacks, here as texts (``"2"``).
    previous_version: str
    new_version: str
    restart_count: int
