"""Formations as their server describes them. Times are RFC 3339 with up to nine digits of fraction."""

from muxi.types.records import TypedDict

__all__ = [
    "CancelledUpdate",
    "DeletedFormation",
    "Deployment",
    "Formation",
    "FormationDetail",
    "FormationList",
    "FormationStatus",
    "FormationVersion",
    "RolledBackFormation",
    "UpdatedFormation",
]


class FormationVersion(TypedDict, total=False):
    """The version as the formation file has it (in lists only), and the SHA-256 of the bundles, in hex."""

    semantic: str
    current: str
    previous: str


class _FormationAlways(TypedDict):
    id: str
    name: str
    port: int
    #: starting, running, unhealthy, stopped, stopping, crashed
    status: str
    #: 0 when it is stopped.
    pid: int
    #: In seconds.
    uptime: int
    restart_count: int
    #: None while it is starting.
    healthy: bool | None


class Formation(_FormationAlways, total=False):
    """A formation in a list."""

    version: FormationVersion


class FormationDetail(Formation, total=False):
    """One formation; its ``version`` has no ``semantic``."""

    created_at: str
    deployed_at: str
    #: When its process was started.
    updated_at: str
    last_health_check: str


class FormationList(TypedDict):
    """The formations of a server, in no order."""

    formations: list[Formation]
    total: int


class _DeploymentAlways(TypedDict):
    formation_id: str
    port: int
    status: str


class Deployment(_DeploymentAlways, total=False):
    """A formation that has just been deployed."""

    #: As the server sees itself: always ``localhost``.
    url: str
    health_url: str
    pid: int


class _UpdatedFormationAlways(TypedDict):
    id: str
    message: str


class UpdatedFormation(_UpdatedFormationAlways, total=False):
    """A formation after an update."""

    #: ``blue-green``
    deployment_type: str
    pid: int
    #: The old one; ``get_formation()`` has the new one.
    port: int
    status: str
    #: Counters of updates, not the versions of formation files.
    version: int
    previous_version: int


class RolledBackFormation(TypedDict, total=False):
    """A formation after a rollback; versions are counters."""

    id: str
    message: str
    pid: int
    status: str
    version: int
    previous_version: int


class CancelledUpdate(TypedDict):
    """A cancelled update."""

    formation_id: str
    message: str
    status: str
    current_port: int
    staging_port: int


class FormationStatus(TypedDict, total=False):
    """The status of a formation after it was started, stopped or restarted."""

    id: str
    message: str
    port: int
    status: str
    restart_count: int


class DeletedFormation(TypedDict):
    """The confirmation that a formation was deleted."""

    id: str
    message: str
