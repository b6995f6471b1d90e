"""What becomes of a deployment, step by step and in the end (the wire's ``server.md``, section 0)."""

from typing import TypedDict

__all__ = ["DeploymentEvent", "DeploymentResult"]


class _DeploymentEventAlways(TypedDict):
    #: ``progress``, and at the end ``complete``. An ``error`` is raised and not handed out.
    type: str
    #: The frame as it came: its name and its data.
    event: str
    data: str


class DeploymentEvent(_DeploymentEventAlways, total=False):
    """A step of a deployment, of an update, a start, a restart or a rollback."""

    #: ``extracting``, ``validating``, ``resolving_runtime``, ``downloading_sif``, ``pulling_runner``, ``spawning``,
    #: ``health_check``; of updates also ``spawning_staging``, ``swapping``, ``stopping_old``; of restarts
    #: ``stopping``; of rollbacks ``spawning_previous``, ``stopping_current``.
    stage: str
    #: The same for people.
    message: str
    #: The runtime's version, once it is known.
    version: str
    #: Which health check this is, of how many there will be at the most.
    attempt: int
    max_attempts: int
    #: Where the new version of an update is tried out.
    staging_port: int
    #: Per cent; in the server's type, not sent yet.
    progress: int
    # What a ``complete`` has; see DeploymentResult.
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
    """What a deployment came to: the data of its ``complete``."""

    #: As the server sees itself: always ``localhost``.
    url: str
    health_url: str
    pid: int
    #: Counters of updates and rollbacks, here as texts (``"2"``).
    previous_version: str
    new_version: str
    restart_count: int
