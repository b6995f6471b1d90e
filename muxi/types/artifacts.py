"""Artifacts: files that agents have made. Times are ISO 8601 in UTC without a zone."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["Artifact", "ArtifactList", "ArtifactVersions"]


class Artifact(TypedDict):
    """One version of an artifact; ``conversation_id`` is the session that it was made in."""

    id: str
    name: str
    version: int
    is_latest: bool
    content_type: str
    category: str
    summary: str
    tags: list[Any]
    agent_id: str
    conversation_id: str
    size_bytes: int
    created_at: str
    updated_at: str
    last_accessed_at: str


class ArtifactList(TypedDict):
    """A user's latest artifacts; ``total`` is the number in all, ``count`` the number in this list."""

    artifacts: list[Artifact]
    count: int
    total: int


class ArtifactVersions(TypedDict):
    """The versions of one artifact, the newest first."""

    name: str
    versions: list[Artifact]
    count: int
