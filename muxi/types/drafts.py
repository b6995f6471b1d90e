"""Drafts of formations, and formations run for development."""

from typing import Literal

from muxi.types.records import TypedDict

__all__ = [
    "DevFormation",
    "DiscardedDraft",
    "DraftDeployment",
    "DraftEntry",
    "DraftFile",
    "DraftFiles",
    "DraftInitialized",
    "DraftState",
    "LiveState",
    "RemovedDraftFile",
    "StoppedDevFormation",
    "WrittenDraftFile",
]


class _DraftStateAlways(TypedDict):
    exists: bool


class DraftState(_DraftStateAlways, total=False):
    """The draft, after the action."""

    #: The version that it was cloned from.
    base_version: str
    #: RFC 3339.
    created_at: str


class LiveState(TypedDict, total=False):
    """The live formation beside the draft; empty where there is none."""

    version: str
    status: str


class _Draft(TypedDict):
    draft: DraftState
    live: LiveState


class DraftInitialized(_Draft):
    """A new draft."""

    action: str
    mode: Literal["new", "clone"]


class _DraftEntryAlways(TypedDict):
    #: That of a directory ends with a slash.
    name: str
    type: Literal["dir", "file"]


class DraftEntry(_DraftEntryAlways, total=False):
    """A file or directory of a draft; ``size`` in bytes, missing for directories and empty files."""

    size: int


class DraftFiles(_Draft):
    """A directory of a draft; ``entries`` is None where it is empty."""

    entries: list[DraftEntry] | None
    path: str


class DraftFile(_Draft):
    """A file of a draft, in the encoding that was asked for."""

    content: str
    encoding: str
    path: str


class WrittenDraftFile(_Draft):
    """A file that has been written; ``size`` in bytes."""

    path: str
    size: int
    written: bool


class RemovedDraftFile(_Draft):
    """A deleted file or directory."""

    path: str
    deleted: bool


class DiscardedDraft(_Draft):
    """A discarded draft."""

    discarded: bool


class DraftDeployment(TypedDict, total=False):
    """A deployed draft: like :class:`Deployment` for a new formation, else like :class:`UpdatedFormation`."""

    formation_id: str
    url: str
    health_url: str
    id: str
    message: str
    deployment_type: str
    version: int
    previous_version: int
    pid: int
    port: int
    status: str


class DevFormation(TypedDict):
    """A formation that runs for development."""

    success: bool
    formation_id: str
    port: int
    status: str


class StoppedDevFormation(TypedDict):
    """A formation that ran for development."""

    success: bool
    formation_id: str
    status: str
