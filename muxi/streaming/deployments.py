"""Event readers of a server's streams: the steps of a deployment, and the lines of a log.

The wire has them in ``server.md``, sections 0 and 11. A deployment's stream ends with ``complete`` or with
``error``; whatever ends before that is broken, and the deployment itself goes on.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from muxi.errors import (
    ConflictError,
    MuxiError,
    NotFoundError,
    ServerError,
    StreamInterrupted,
    ValidationError,
    error_from_answer,
)
from muxi.streaming.chat import EventReader, register_reader
from muxi.streaming.sse import ServerSentEvent, json_object
from muxi.types.deployments import DeploymentEvent, DeploymentResult
from muxi.types.server import FormationLogEvent

__all__ = ["DEPLOYMENT", "FORMATION_LOG", "DeploymentReader", "FormationLogReader", "deployment_error"]

#: The names of the two kinds of stream, for :class:`muxi.StreamCall`.
DEPLOYMENT = "deployment"
FORMATION_LOG = "formation_log"

#: The kinds of error by their codes, the same that the plain answers have by their status. What is not here is
#: the server's, or the new process's, failure.
_ERRORS: dict[str, type[MuxiError]] = {
    "AlreadyRunning": ConflictError,
    "DeployConflict": ConflictError,
    "NoChange": ConflictError,
    "NotFound": NotFoundError,
    "DraftNotFound": NotFoundError,
    "ExtractError": ValidationError,
    "IDMismatch": ValidationError,
    "InvalidRuntime": ValidationError,
    "NoPreviousVersion": ValidationError,
    "ParseError": ValidationError,
    "ResolveError": ValidationError,
    "SecretsError": ValidationError,
    "VersionMismatch": ValidationError,
}

#: An answer that is no stream is short; more than this is none, in bytes.
_MAX_BARE = 1024 * 1024


class DeploymentReader(EventReader[DeploymentEvent]):
    """Reads a deployment: ``progress`` until ``complete`` or ``error``."""

    failure: MuxiError | None

    #: There are no keepalives, and nothing comes while a runtime is downloaded.
    idle_timeout: ClassVar[float | None] = 600.0

    def __init__(self) -> None:
        super().__init__()
        self._last: DeploymentEvent | None = None
        self._complete: dict[str, Any] | None = None
        #: What has arrived as long as it can be a bare JSON answer, without white space before it; None once it is a
        #: stream.
        self._bare: bytearray | None = bytearray()
        #: Whether white space precedes it on its line, where no field of a stream can begin.
        self._indented = False

    @property
    def partial(self) -> dict[str, Any]:
        last = self._last
        return {key: value for key, value in last.items() if key not in ("type", "event", "data")} if last else {}

    def feed(self, chunk: bytes) -> None:
        """Decode a chunk of the body. A refusal may come as plain JSON with the content type of a stream."""
        if self._bare is None:
            super().feed(chunk)
            return
        if not self._bare:
            # White space is not kept: there may be any amount of it.
            space = chunk[: len(chunk) - len(chunk.lstrip())]
            self._indented = not space.endswith((b"\n", b"\r")) and (bool(space) or self._indented)
            chunk = chunk[len(space) :]
        self._bare += chunk
        if not self._bare or (self._bare.startswith(b"{") and len(self._bare) <= _MAX_BARE):
            return
        chunk, self._bare = b" " * self._indented + self._bare, None
        super().feed(chunk)

    def end(self) -> None:
        if self.over:
            return
        if self._bare and (refusal := _refusal(bytes(self._bare))):
            self.failure = refusal
            return
        stage = self._last.get("stage") if self._last else None
        self.failure = StreamInterrupted(
            "STREAM_INTERRUPTED",
            f"the stream ended {f'in the stage {stage!r}' if stage else 'before its first event'}, without 'complete' "
            "or 'error'; the deployment may go on all the same: ask get_formation() for what became of it",
            partial=self.partial,
        )
        self.failure.stage = stage

    def result(self) -> DeploymentResult:
        """Return the data of ``complete``.

        Raises:
            StreamInterrupted: there was none.
        """
        if self._complete is None:
            raise StreamInterrupted("STREAM_INTERRUPTED", "the deployment has not completed", partial=self.partial)
        return cast(DeploymentResult, self._complete)

    def _read(self, frame: ServerSentEvent) -> None:
        payload = json_object(frame.data)
        if frame.event == "error":
            self.failure = deployment_error(payload or {"message": frame.data})
            self.failure.partial = self.partial
            return
        known = payload or {}
        event = cast(DeploymentEvent, {**known, "type": frame.event, "event": frame.event, "data": frame.data})
        self._last = event
        self.ready.append(event)
        if frame.event == "complete":
            self._complete = known
            self.finished = True


class FormationLogReader(EventReader[FormationLogEvent]):
    """Reads a formation's log. It may be silent for hours, and has no terminator."""

    failure: MuxiError | None

    def _read(self, frame: ServerSentEvent) -> None:
        if frame.event == "error":
            self.failure = deployment_error(json_object(frame.data) or {"message": frame.data})
            return
        known = json_object(frame.data) or {"line": frame.data}
        event = {**known, "type": frame.event, "event": frame.event, "data": frame.data}
        self.ready.append(cast(FormationLogEvent, event))


def deployment_error(payload: dict[str, Any]) -> MuxiError:
    """Return the error of an ``event: error``.

    Args:
        payload: its data, with ``error`` (the code), ``message`` and ``stage``.

    Returns:
        A :class:`~muxi.errors.ConflictError`, :class:`~muxi.errors.NotFoundError` or
        :class:`~muxi.errors.ValidationError` where the code means one, else a :class:`~muxi.errors.ServerError`,
        such as ``HealthCheckFailed``; with ``stage``, and ``details`` as they came.
    """
    code, stage, extra = payload.get("error"), payload.get("stage"), payload.get("details")
    code = code if isinstance(code, str) and code else "DEPLOYMENT_FAILED"
    message = str(payload.get("message") or "the deployment failed")
    if isinstance(stage, str) and stage:
        message = f"{message} (in the stage {stage!r})"
    error = _ERRORS.get(code, ServerError)(code, message, details=extra if isinstance(extra, dict) else {})
    error.stage = stage if isinstance(stage, str) and stage else None
    error.from_platform = True
    return error


def _refusal(body: bytes) -> MuxiError | None:
    """Return the error of a JSON answer without a frame around it, or None."""
    payload = json_object(body.decode("utf-8", "replace"))
    if payload is None or payload.get("success") is not False:
        return None
    plain = error_from_answer(409, "", (), body)
    code = plain.code if isinstance(payload.get("error"), str) else ""
    error = _ERRORS.get(code, ServerError)(code or "DEPLOYMENT_FAILED", plain.message, details=plain.details)
    error.from_platform = True
    return error


register_reader(DEPLOYMENT, DeploymentReader)
register_reader(FORMATION_LOG, FormationLogReader)
