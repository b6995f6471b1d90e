"""The formations of a server: deploy, update, inspect, start, stop and download them."""

from __future__ import annotations

import os
from typing import Any

from muxi import bundles
from muxi.bundles import BundleSource, Prepared, Progress
from muxi.call import Call, Key, Procedure, send
from muxi.client.endpoints import hints, operation, procedure, reads_files
from muxi.errors import ServerError, ValidationError
from muxi.exchange.download import Downloaded, copy_mode, name_errors, resolve_target
from muxi.exchange.download import Progress as DownloadProgress
from muxi.exchange.identifiers import random_id
from muxi.types import (
    CancelledUpdate,
    DeletedFormation,
    Deployment,
    FormationDetail,
    FormationList,
    FormationStatus,
    RolledBackFormation,
    UpdatedFormation,
)

__all__ = [
    "DEPLOY_HINT",
    "HEALTH_CHECK_TIMEOUT",
    "UPDATE_HINT",
    "FormationsOperations",
    "about",
    "deploying",
    "updating",
]

#: Seconds for operations that wait for a formation's health checks, or move whole formations.
HEALTH_CHECK_TIMEOUT = 600.0

#: For code that was written for the official SDK, which sends an id and JSON; no server takes that.
DEPLOY_HINT = "It takes the bundle first: deploy_formation('my-bot.tar.gz', formation_id='my-bot')"

#: The same for updates.
UPDATE_HINT = "It takes the id, then the bundle: update_formation('my-bot', 'my-bot.tar.gz')"

_ALL = "/rpc/formations"
_ONE = "/rpc/formations/{formation_id}"


def about(formation_id: str) -> dict[str, Any]:
    """Return the common parts of signed calls about one formation."""
    return {"params": {"formation_id": formation_id}, "key": Key.SIGNATURE}


def waiting(formation_id: str) -> dict[str, Any]:
    """Return the parts of calls that wait until the formation is healthy."""
    return {**about(formation_id), "timeout": HEALTH_CHECK_TIMEOUT}


def deploying(
    bundle: BundleSource | Prepared,
    formation_id: str | None,
    version: str | None,
    progress: Progress | None,
    packing: Progress | None,
) -> dict[str, Any]:
    """Return the parts of a call that deploys a bundle.

    Raises:
        ValidationError: the server would refuse it; nothing has been sent.
    """
    prepared = bundles.prepare(bundle, formation_id=formation_id, version=version, progress=progress, packing=packing)
    return {
        "path": _ALL,
        "content": prepared.body,
        "headers": {
            "Content-Type": "application/gzip",
            "X-Formation-ID": prepared.identity.id,
            "X-Formation-Version": prepared.identity.version,
        },
        "key": Key.SIGNATURE,
        "timeout": HEALTH_CHECK_TIMEOUT,
    }


def updating(
    formation_id: str,
    bundle: BundleSource | Prepared,
    version: str | None,
    progress: Progress | None,
    packing: Progress | None,
) -> dict[str, Any]:
    """Return the parts of a call that updates a formation.

    Raises:
        ValidationError: the server would refuse the bundle, or it is another formation's; nothing has been sent.
    """
    # The server does not compare the ids, and would run another formation under this one's address.
    prepared = bundles.prepare(bundle, formation_id=formation_id, version=version, progress=progress, packing=packing)
    return {
        "path": _ONE,
        "content": prepared.body,
        "headers": {"Content-Type": "application/gzip", "X-Formation-Version": prepared.identity.version},
        **waiting(formation_id),
    }


class FormationsOperations:
    """Methods about the formations of a server. All are signed."""

    @operation
    def list_formations(self) -> Call[FormationList]:
        """List the server's formations (``GET /rpc/formations``).

        The server asks each for its health meanwhile, 2 s at the most, one after the other. Drafts are not listed.

        Returns:
            ``formations`` in no order, and ``total``.
        """
        return Call.get(_ALL, key=Key.SIGNATURE, returns="FormationList")

    @operation
    def get_formation(self, formation_id: str) -> Call[FormationDetail]:
        """Get one formation (``GET /rpc/formations/{formation_id}``).

        Args:
            formation_id: its id.

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get(_ONE, **about(formation_id), returns="FormationDetail")

    @operation
    @hints(DEPLOY_HINT)
    @reads_files
    def deploy_formation(
        self,
        bundle_path: BundleSource | Prepared,
        *,
        formation_id: str | None = None,
        version: str | None = None,
        progress: Progress | None = None,
        packing: Progress | None = None,
    ) -> Call[Deployment]:
        """Deploy a new formation and wait until it is healthy (``POST /rpc/formations``).

        The bundle is looked at first, and streamed from disk. It has to arrive within the server's 15 s.

        Args:
            bundle_path: the path of a ``.tar.gz`` with everything under one top directory, or of a folder, which
                is packed (see :func:`muxi.bundles.pack` for what does not travel); or the bytes of a ``.tar.gz``,
                a binary file, or what :func:`muxi.bundles.prepare` made of any of these.
            formation_id: its id; read from the bundle's formation file if not given.
            version: its version; likewise.
            progress: called with the bytes sent so far and their number, from the thread that sends.
            packing: called while a folder is packed, after each file, with the bytes packed so far and their number,
                from the thread that packs (an async client packs in one of its own).

        Returns:
            Where it runs. ``url`` is as the server sees itself (``localhost``).

        Raises:
            ValidationError: the server would refuse the bundle (then nothing has been sent), or has refused it; also
                where the formation did not become healthy, which the server answers with 400.
            ConflictError: a formation of that id exists already; :meth:`update_formation` updates it.
            ServerError: it could not be started.
        """
        parts = deploying(bundle_path, formation_id, version, progress, packing)
        return Call.post(**parts, returns="Deployment")

    @operation
    @hints(UPDATE_HINT)
    @reads_files
    def update_formation(
        self,
        formation_id: str,
        bundle_path: BundleSource | Prepared,
        *,
        version: str | None = None,
        progress: Progress | None = None,
        packing: Progress | None = None,
    ) -> Call[UpdatedFormation]:
        """Replace a formation by a new version, once that is healthy (``PUT /rpc/formations/{formation_id}``).

        The old version runs until then, and stays where the new one does not become healthy.

        Args:
            formation_id: its id; a bundle with another one is refused here (the server would take it).
            bundle_path: as for :meth:`deploy_formation`.
            version: as for :meth:`deploy_formation`.
            progress: as for :meth:`deploy_formation`.
            packing: as for :meth:`deploy_formation`.

        Returns:
            Its counters of versions. ``port`` is the old one; :meth:`get_formation` has the new one.

        Raises:
            ValidationError: as for :meth:`deploy_formation`.
            NotFoundError: there is none of that id.
            ConflictError: the bundle is the one that runs, byte by byte, or an update is going on.
            ServerError: the new version could not be started.
        """
        return Call.put(**updating(formation_id, bundle_path, version, progress, packing), returns="UpdatedFormation")

    @operation
    def delete_formation(self, formation_id: str) -> Call[DeletedFormation]:
        """Stop a formation and remove it with all it has stored (``DELETE /rpc/formations/{formation_id}``).

        Args:
            formation_id: its id.

        Returns:
            Its id and a message; empty where a repeated attempt found that the one before had gone through.

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.delete(_ONE, **about(formation_id), returns="DeletedFormation")

    @operation
    def stop_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Stop a formation (``POST /rpc/formations/{formation_id}/stop``).

        Args:
            formation_id: its id.

        Raises:
            ConflictError: it is stopped already.
            NotFoundError: there is none of that id.
            ServerError: the server does not know its process.
        """
        return Call.post(f"{_ONE}/stop", **about(formation_id), returns="FormationStatus")

    @operation
    def start_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Start a formation and wait until it is healthy (``POST /rpc/formations/{formation_id}/start``).

        Args:
            formation_id: its id.

        Raises:
            ConflictError: it is running already.
            NotFoundError: there is none of that id.
            ServerError: it could not be started, or did not become healthy.
        """
        return Call.post(f"{_ONE}/start", **waiting(formation_id), returns="FormationStatus")

    @operation
    def restart_formation(self, formation_id: str) -> Call[FormationStatus]:
        """Stop a formation, start it, wait until it is healthy (``POST /rpc/formations/{formation_id}/restart``).

        Args:
            formation_id: its id.

        Raises:
            NotFoundError: there is none of that id.
            ServerError: it could not be started, or did not become healthy; it is stopped then.
        """
        return Call.post(f"{_ONE}/restart", **waiting(formation_id), returns="FormationStatus")

    @operation
    def rollback_formation(self, formation_id: str) -> Call[RolledBackFormation]:
        """Return to the version before the last update (``POST /rpc/formations/{formation_id}/rollback``).

        Args:
            formation_id: its id.

        Raises:
            ValidationError: there is no previous version.
            NotFoundError: there is none of that id.
            ServerError: the previous version did not become healthy; the current one still runs.
        """
        return Call.post(f"{_ONE}/rollback", **waiting(formation_id), returns="RolledBackFormation")

    @operation
    def cancel_update(self, formation_id: str) -> Call[CancelledUpdate]:
        """Cancel the update that is going on (``POST /rpc/formations/{formation_id}/cancel-update``).

        The call that runs it fails then; the old version stays.

        Args:
            formation_id: its id.

        Raises:
            ValidationError: there is no update going on.
            NotFoundError: there is none of that id.
        """
        return Call.post(f"{_ONE}/cancel-update", **about(formation_id), returns="CancelledUpdate")

    @procedure
    def download_formation(
        self,
        formation_id: str,
        path: str | os.PathLike[str],
        *,
        db: bool = False,
        progress: DownloadProgress | None = None,
    ) -> Procedure[Downloaded]:
        """Download a formation's files as a zip (``GET /rpc/formations/{formation_id}/download``).

        Written to disk as it arrives. The file is complete or not there. A new one is readable by its owner only,
        because it may have a ``.env`` in it; one that is replaced keeps its mode. Links are followed.
        Other hidden files, ``.key`` among them, are never in it, and the formation file is as the server has
        rewritten it.

        Args:
            formation_id: its id.
            path: the file; a folder gets ``<formation_id>.zip``. A file that is there is replaced.
            db: whether to take ``memory.db`` along, what the formation remembers.
            progress: called with the bytes so far and the bytes in all (None if the length is unknown).

        Returns:
            The ``path`` and the ``size`` in bytes.

        Raises:
            NotFoundError: there is no formation of that id, or it has no files.
            ServerError: the zip is truncated, which is how the server reports a file that it could not read.
        """
        target = os.fspath(path)
        if os.path.isdir(target):
            target = os.path.join(target, f"{formation_id}.zip")
        final = resolve_target(target)
        arriving = os.path.join(os.path.dirname(final), f".{random_id('')}.zip")
        call: Call[Downloaded] = Call.get(
            f"{_ONE}/download",
            **waiting(formation_id),
            query={"db": True if db else None},
            operation="download_formation",
            into=arriving,
            progress=progress,
            returns="Downloaded",
        )
        try:
            with name_errors(target):
                os.close(os.open(arriving, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                found = yield from send(call)
            except ValidationError as error:
                _rename_in(error, arriving, target)
                raise
            _check_zip(arriving, found["size"])
            resolve_target(target)
            with name_errors(target):
                copy_mode(final, arriving)
                os.replace(arriving, final)
        finally:
            if os.path.exists(arriving):
                os.unlink(arriving)
        found["path"] = target
        return found


def _rename_in(error: ValidationError, arriving: str, target: str) -> None:
    """Name the target in an error, as of a full disk, in place of the file beside it, unknown to the caller."""
    old, new = repr(arriving), repr(target)
    error.message = error.message.replace(old, new)
    for problem in error.details.get("validation_errors", ()):
        problem["msg"] = str(problem["msg"]).replace(old, new)


def _check_zip(path: str, size: int) -> None:
    """Refuse a zip without its directory, which is the last that is written.

    Raises:
        ServerError: it is truncated.
    """
    import zipfile  # loads much, for few

    try:
        with zipfile.ZipFile(path):
            return
    except zipfile.BadZipFile as error:
        raise ServerError(
            "TRUNCATED_DOWNLOAD",
            f"what came after {size} bytes is not the end of a zip ({error}); the server failed in the middle, and "
            "nothing was kept of it",
        ) from error
