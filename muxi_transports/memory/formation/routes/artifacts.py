"""``/v1/artifacts``: what agents have made for a user."""

from __future__ import annotations

from urllib.parse import quote

from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.artifacts import Stored, category
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, integer
from muxi_transports.memory.world import Answer

__all__ = ["ROUTES"]


def list_artifacts(incoming: Incoming) -> Success:
    """The latest versions of the user's files, the latest first; ``total`` counts them all."""
    stored = incoming.formation.artifacts.listed(incoming.owner)
    page = [_on_wire(item) for item in stored[: incoming.query.integer("limit")]]
    return Success("artifact_list", "artifact.list", {"artifacts": page, "count": len(page), "total": len(stored)})


def get_artifact(incoming: Incoming) -> Success:
    """One version of a file, without its content."""
    return Success("artifact", "artifact.retrieved", _on_wire(_find(incoming)))


def list_versions(incoming: Incoming) -> Success:
    """All versions of a file, the newest first."""
    stored = _find(incoming)
    versions = [_on_wire(version) for version in incoming.formation.artifacts.versions(stored)]
    data = {"name": stored.name, "versions": versions, "count": len(versions)}
    return Success("artifact", "artifact.versions.retrieved", data)


def download(incoming: Incoming) -> Answer:
    """The bytes, of this version or of another one of the same file."""
    artifacts, stored = incoming.formation.artifacts, _find(incoming)
    if isinstance(version := incoming.query.get("version"), int):
        found = next((other for other in artifacts.versions(stored) if other.version == version), None)
        if found is None:
            raise ApiError(404, "NOT_FOUND", f"Artifact '{stored.id}' has no version {version}")
        stored = found
    content = artifacts.read(stored)
    charset = "; charset=utf-8" if stored.content_type.startswith("text/") else ""
    headers = [
        ("content-disposition", f"inline; {_filename(stored.name)}"),
        ("content-length", str(len(content))),
        ("x-muxi-artifact-id", stored.id),
        ("x-muxi-artifact-version", str(stored.version)),
        ("content-type", stored.content_type + charset),
    ]
    return Answer(200, headers, content)


def _find(incoming: Incoming) -> Stored:
    artifact_id = incoming.params["artifact_id"]
    stored = incoming.formation.artifacts.get(incoming.owner, artifact_id)
    if stored is None:
        raise ApiError(404, "NOT_FOUND", f"Artifact '{artifact_id}' not found")
    return stored


def _filename(name: str) -> str:
    """The name twice: as plain ASCII, and as it is."""
    plain = name.encode("ascii", "replace").decode().translate({ord(char): "_" for char in '"\\\r\n'})
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _on_wire(stored: Stored) -> dict[str, object]:
    size = len(stored.content)
    return {
        "name": stored.name,
        "version": stored.version,
        "is_latest": stored.is_latest,
        "content_type": stored.content_type,
        "category": category(stored.content_type),
        "summary": f"{stored.name} ({stored.content_type}, {size} bytes) produced by {stored.agent_id}.",
        "tags": [],
        "agent_id": stored.agent_id,
        "conversation_id": stored.session_id,
        "size_bytes": size,
        "created_at": iso(stored.created_at),
        "updated_at": iso(stored.updated_at),
        "last_accessed_at": iso(stored.last_accessed_at),
        "id": stored.id,
    }


ROUTES = (
    FormationRoute("GET", "/v1/artifacts", list_artifacts, query=(Field("limit", integer(1, 100), default=20),)),
    FormationRoute("GET", "/v1/artifacts/{artifact_id}", get_artifact),
    FormationRoute("GET", "/v1/artifacts/{artifact_id}/content", download, query=(Field("version", integer(1)),)),
    FormationRoute("GET", "/v1/artifacts/{artifact_id}/versions", list_versions),
)
