"""Drafts of formations, edited file by file on the server, and formations run for development."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Literal

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.errors import ValidationError
from muxi.operations.formations import HEALTH_CHECK_TIMEOUT, about
from muxi.types import (
    DevFormation,
    DiscardedDraft,
    DraftDeployment,
    DraftFile,
    DraftFiles,
    DraftInitialized,
    RemovedDraftFile,
    StoppedDevFormation,
    WrittenDraftFile,
)

__all__ = ["DraftsOperations"]

_FILES = "/rpc/formations/{formation_id}/draft/files"


def _action(formation_id: str, action: str, **body: Any) -> dict[str, Any]:
    """Return the parts of a call. Its result has the states of the draft and of the live formation beside the data."""
    return {"path": _FILES, "body": {"action": action, **body}, "beside": ("draft", "live"), **about(formation_id)}


class DraftsOperations:
    """Methods about drafts (``POST /rpc/formations/{formation_id}/draft/files``). All are signed.

    All of them raise a :class:`~muxi.errors.NotFoundError` (``DraftNotFound``) where there is no draft, and a
    :class:`~muxi.errors.ValidationError` where an id or a path is none. All but :meth:`deploy_draft` tell in
    ``draft`` and ``live`` how things stand afterwards.
    """

    @operation
    def init_draft(self, formation_id: str, *, mode: Literal["new", "clone"] = "new") -> Call[DraftInitialized]:
        """Begin a draft.

        Args:
            formation_id: its id; that of the live formation where it is to be cloned.
            mode: ``new`` has a formation file with an id, a name and a version; it needs a description before it can
                be deployed. ``clone`` has the files of the live formation.

        Raises:
            ConflictError: there is one already (``DraftAlreadyExists``).
            NotFoundError: there is nothing to clone (``LiveNotFound``).
        """
        return Call.post(**_action(formation_id, "init", mode=mode), returns="DraftInitialized")

    @operation
    def list_draft_files(self, formation_id: str, path: str = ".") -> Call[DraftFiles]:
        """List a directory of a draft.

        Args:
            formation_id: the draft's id.
            path: the directory, relative to the draft.

        Returns:
            ``entries``, None where the directory is empty.
        """
        return Call.post(**_action(formation_id, "list", path=path), returns="DraftFiles")

    @operation
    def read_draft_file(
        self, formation_id: str, path: str, *, encoding: Literal["utf-8", "base64"] = "utf-8"
    ) -> Call[DraftFile]:
        """Read a file of a draft.

        Args:
            formation_id: the draft's id.
            path: the file, relative to the draft.
            encoding: what ``content`` is in. With ``utf-8``, bytes that are none arrive as U+FFFD; take
                ``base64`` for anything but text.

        Raises:
            NotFoundError: there is no such file (``FileNotFound``).
        """
        return Call.post(**_action(formation_id, "read", path=path, encoding=encoding), returns="DraftFile")

    @operation
    def write_draft_file(self, formation_id: str, path: str, content: str | bytes) -> Call[WrittenDraftFile]:
        """Write a file of a draft, in place of what was there; its directories are made.

        Args:
            formation_id: the draft's id.
            path: the file, relative to the draft.
            content: a text, sent as it is, or bytes, sent in base64.
        """
        encoding, text = ("utf-8", content) if isinstance(content, str) else ("base64", b64encode(content).decode())
        body = _action(formation_id, "write", path=path, content=text, encoding=encoding)
        return Call.post(**body, returns="WrittenDraftFile")

    @operation
    def delete_draft_file(self, formation_id: str, path: str) -> Call[RemovedDraftFile]:
        """Remove a file of a draft, or a directory with all that is in it.

        Args:
            formation_id: the draft's id.
            path: the file or directory, relative to the draft.

        Raises:
            NotFoundError: there is no such file (``FileNotFound``).
        """
        return Call.post(**_action(formation_id, "delete", path=path), returns="RemovedDraftFile")

    @operation
    def deploy_draft(self, formation_id: str) -> Call[DraftDeployment]:
        """Make a draft live: deploy it, or update the formation of its id, and wait until that is healthy.

        A failed deploy of an id that was not live before removes the draft too.

        Args:
            formation_id: the draft's id.

        Returns:
            As ``deploy_formation`` where the id was not live, else as ``update_formation``.

        Raises:
            ConflictError: the live formation was itself first made from a draft (``NoChange``, always), or something
                else is going on (``DeployConflict``).
            ValidationError: its formation file cannot be deployed.
        """
        parts = {**_action(formation_id, "deploy"), "timeout": HEALTH_CHECK_TIMEOUT}
        return Call.post(**parts, returns="DraftDeployment")

    @operation
    def discard_draft(self, formation_id: str) -> Call[DiscardedDraft]:
        """Remove a draft with all its files.

        Args:
            formation_id: the draft's id.
        """
        return Call.post(**_action(formation_id, "discard"), returns="DiscardedDraft")

    @operation
    def dev_run(self, *, path: str | None = None, formation_id: str | None = None) -> Call[DevFormation]:
        """Run a directory of the server's machine, or a draft, for development (``POST /rpc/dev/run``).

        It is reached with ``server.formation(formation_id, mode="draft")``.

        Args:
            path: an absolute path on the server's machine.
            formation_id: the id of a draft, in its place.

        Raises:
            ValidationError: neither or both were given, or there is no formation file there.
            NotFoundError: there is no such draft.
            ConflictError: it is running already.
            ServerError: it did not start, or did not become healthy.
        """
        if (path is None) == (formation_id is None):
            problem = "takes either path= or formation_id="
            errors = [{"field": "path", "msg": problem}]
            raise ValidationError("INVALID_PARAMETER", f"dev_run {problem}", details={"validation_errors": errors})
        body = {"path": path} if formation_id is None else {"formation_id": formation_id}
        return Call.post(
            "/rpc/dev/run", body=body, key=Key.SIGNATURE, timeout=HEALTH_CHECK_TIMEOUT, returns="DevFormation"
        )

    @operation
    def dev_stop(self, formation_id: str) -> Call[StoppedDevFormation]:
        """Stop what :meth:`dev_run` has started (``POST /rpc/dev/stop``).

        Args:
            formation_id: its id.

        Raises:
            NotFoundError: nothing of that id runs.
        """
        body = {"formation_id": formation_id}
        return Call.post("/rpc/dev/stop", body=body, key=Key.SIGNATURE, returns="StoppedDevFormation")
