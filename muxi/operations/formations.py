"""Formations as a server supervises them: deploy, look at, start, stop."""

from __future__ import annotations

import os

from muxi.bundle import read_identity
from muxi.call import Call, Key
from muxi.endpoints import operation
from muxi.transport import FileBody
from muxi.types import (
    DeletedFormation,
    Deployment,
    FormationDetail,
    FormationList,
    FormationStatus,
    ServerHealth,
    ServerStatus,
)

__all__ = ["FormationsOperations"]

#: Seconds for operations that wait for a formation's health checks.
HEALTH_CHECK_TIMEOUT = 600.0


class FormationsOperations:
    """Methods of a server. All are signed but :meth:`health`."""

    @operation
    def health(self) -> Call[ServerHealth]:
        """Ask whether the server is up. Takes no key (``GET /health``)."""
        return Call.get("/health", key=Key.NONE, returns="ServerHealth")

    @operation
    def status(self) -> Call[ServerStatus]:
        """See what the server runs and has room for (``GET /rpc/server/status``)."""
        return Call.get("/rpc/server/status", key=Key.SIGNATURE, returns="ServerStatus")

    @operation
    def list_formations(self) -> Call[FormationList]:
        """List the server's formations (``GET /rpc/formations``)."""
        return Call.get("/rpc/formations", key=Key.SIGNATURE, returns="FormationList")

    @operation
    def get_formation(self, formation_id: str) -> Call[FormationDetail]:
        """Look at one formation (``GET /rpc/formations/{formation_id}``).

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get(_ONE, params={"formation_id": formation_id}, key=Key.SIGNATURE, returns="FormationDetail")

    @operation
    def deploy_formation(
        self, bundle_path: str | os.PathLike[str], *, formation_id: str | None = None, version: str | None = None
    ) -> Call[Deployment]:
        """Deploy a new formation and wait until it is healthy (``POST /rpc/formations``).

        Args:
            bundle_path: a ``.tar.gz`` with the formation under one top directory; streamed from disk.
            formation_id: its id; read from the bundle's formation file if not given.
            version: its version; likewise.

        Raises:
            ValidationError: the bundle has no formation file, or no id in it; nothing has been sent.
            ConflictError: a formation of that id exists already.
            ServerError: it could not be started.
        """
        if formation_id is None or version is None:
            identity = read_identity(bundle_path)
            formation_id = formation_id or identity.id
            version = version or identity.version
        return Call.post(
            "/rpc/formations",
            content=FileBody(bundle_path),
            headers={
                "Content-Type": "application/gzip",
                "X-Formation-ID": formation_id,
                "X-Formation-Version": version,
            },
            key=Key.SIGNATURE,
            timeout=HEALTH_CHECK_TIMEOUT,
            returns="Deployment",
        )

    @operation
    def delete_formation(self, formation_id: str) -> Call[DeletedFormation]:
        """Stop a formation and remove it with all it has stored (``DELETE /rpc/formations/{formation_id}``).

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.delete(_ONE, params={"formation_id": formation_id}, key=Key.SIGNATURE, returns="DeletedFormation")

    @operation
    def stop_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Stop a formation (``POST /rpc/formations/{formation_id}/stop``).

        Raises:
            ConflictError: it is stopped already.
        """
        return Call.post(
            f"{_ONE}/stop", params={"formation_id": formation_id}, key=Key.SIGNATURE, returns="FormationStatus"
        )

    @operation
    def start_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Start a formation and wait until it is healthy (``POST /rpc/formations/{formation_id}/start``).

        Raises:
            ConflictError: it is running already.
        """
        return Call.post(
            f"{_ONE}/start",
            params={"formation_id": formation_id},
            key=Key.SIGNATURE,
            timeout=HEALTH_CHECK_TIMEOUT,
            returns="FormationStatus",
        )

    @operation
    def restart_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Stop a formation, start it, wait until it is healthy (``POST /rpc/formations/{formation_id}/restart``)."""
        return Call.post(
            f"{_ONE}/restart",
            params={"formation_id": formation_id},
            key=Key.SIGNATURE,
            timeout=HEALTH_CHECK_TIMEOUT,
            returns="FormationStatus",
        )


_ONE = "/rpc/formations/{formation_id}"
