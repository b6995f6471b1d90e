"""Artifacts: files that agents have made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from muxi.call import Call, Item, Key, Pages, send
from muxi.client.endpoints import operation, pages
from muxi.errors import ListTruncated
from muxi.operations.limits import Range

if TYPE_CHECKING:
    from muxi.exchange.download import Downloaded, Progress
    from muxi.types import Artifact, ArtifactList, ArtifactVersions

__all__ = ["ArtifactOperations"]

#: The most artifacts that a list can have.
MAX_PAGE = 100

#: Seconds for a download, unless the client's ``timeout`` is more.
DOWNLOAD_TIMEOUT = 600.0

_ONE = "/artifacts/{artifact_id}"


class ArtifactOperations:
    """Methods about a user's artifacts. Either key will do, and a user is needed with both."""

    @operation
    def get_artifacts(self, user_id: str, limit: int | None = None) -> Call[ArtifactList]:
        """List a user's artifacts, the latest first (``GET /artifacts``).

        Args:
            user_id: whose.
            limit: how many at the most, 1 to 100; the runtime's default is 20. There is no way to page further;
                ``total`` is their number.

        Raises:
            ValidationError: the limit is out of range; nothing has been sent.
        """
        return Call.get(
            "/artifacts",
            query={"limit": limit},
            limits={"limit": Range(1, MAX_PAGE)},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="ArtifactList",
        )

    @pages
    def iter_artifacts(self, user_id: str) -> Pages[Artifact]:
        """Iterate over a user's artifacts, the latest first.

        Args:
            user_id: whose.

        Raises:
            ListTruncated: after the last artifact that the wire can list, where there are more (over 100).
        """
        page = yield from send(ArtifactOperations.get_artifacts.call(user_id, MAX_PAGE))
        for artifact in page["artifacts"]:
            yield Item(artifact)
        # The runtime lists first and counts then: of a short page, the difference is what was made in between.
        if page["total"] > len(page["artifacts"]) >= MAX_PAGE:
            raise ListTruncated(
                f"the wire lists the latest {MAX_PAGE} artifacts and knows no way to the rest; "
                f"the user has {page['total']}",
                details={"listed": len(page["artifacts"]), "total": page["total"]},
            )

    @operation
    def get_artifact(self, artifact_id: str, user_id: str) -> Call[Artifact]:
        """Get one artifact, without its content (``GET /artifacts/{artifact_id}``).

        Raises:
            NotFoundError: the user has none of that id.
        """
        return Call.get(
            _ONE,
            params={"artifact_id": artifact_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="Artifact",
        )

    @operation
    def get_artifact_versions(self, artifact_id: str, user_id: str) -> Call[ArtifactVersions]:
        """List the versions of an artifact, the newest first (``GET /artifacts/{artifact_id}/versions``).

        Raises:
            NotFoundError: the user has none of that id.
        """
        return Call.get(
            f"{_ONE}/versions",
            params={"artifact_id": artifact_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="ArtifactVersions",
        )

    @operation
    def download_artifact(
        self,
        artifact_id: str,
        path: str | os.PathLike[str],
        user_id: str,
        version: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Call[Downloaded]:
        """Download the content of an artifact to a file (``GET /artifacts/{artifact_id}/content``).

        It is written as it arrives and takes its name once it is whole; a file that is there is replaced then.
        A download that breaks off is begun anew, and leaves nothing behind if that does not help.

        Args:
            artifact_id: which.
            path: the file.
            user_id: whose artifact.
            version: which version, from 1; the latest if not given.
            progress: called with the bytes so far and the bytes in all (None if the length is unknown).

        Returns:
            ``path``, ``size`` in bytes, ``content_type``, and as ``filename`` what the formation calls it.

        Raises:
            ValidationError: the path cannot be a file, or the version is below 1, and nothing has been sent; or the
                file cannot be written.
            NotFoundError: the user has no such artifact, or it has no such version.
            ConnectionError: the content broke off each time.
        """
        return Call.get(
            f"{_ONE}/content",
            params={"artifact_id": artifact_id},
            query={"version": version},
            limits={"version": Range(1)},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            timeout=DOWNLOAD_TIMEOUT,
            into=path,
            progress=progress,
            returns="Downloaded",
        )
