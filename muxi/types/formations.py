"""Formations as the server that supervises them sees them. Times are RFC 3339."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["DeletedFormation", "Deployment", "Formation", "FormationDetail", "FormationList", "FormationStatus"]


class FormationVersion(TypedDict, total=False):
    """The version as the formation file has it, and the hashes of the bundles."""

    semantic: str
    current: str
    previous: str


class _FormationAlways(TypedDict):
    id: str
    name: str
    port: int
    #: starting, running, unhealthy, stopped, stopping, crashed
    status: str
    pid: int
    uptime: int
    restart_count: int
    #: None while it is starting.
    healthy: bool | None


class Formation(_FormationAlways, total=False):
    """A formation in a list; ``uptime`` in seconds."""

    version: FormationVersion


class FormationDetail(Formation, total=False):
    """One formation."""

    created_at: str
    deployed_at: str
    updated_at: str
    last_health_check: str


class FormationList(TypedDict):
    """All formations of a server, in no order."""

    formations: list[Formation]
    total: int


class _DeploymentAlways(TypedDict):
    formation_id: str
    port: int
    status: str


class Deployment(_DeploymentAlways, total=False):
    """A formation that has just been deployed."""

    url: str
    health_url: str
    pid: int


class FormationStatus(TypedDict, total=False):
    """What became of a formation that was started, stopped or restarted."""

    id: str
    message: str
    port: int
    status: str
    restart_count: int


class DeletedFormation(TypedDict):
    """That a formation is gone."""

    id: str
    message: str
