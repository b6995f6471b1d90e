"""The operations of :mod:`muxi.operations.formations` as streams of progress events."""

from __future__ import annotations

from typing import Any

from muxi.bundles import BundleSource, Prepared, Progress
from muxi.client.endpoints import hints, reads_files, stream
from muxi.operations.formations import DEPLOY_HINT, HEALTH_CHECK_TIMEOUT, UPDATE_HINT, about, deploying, updating
from muxi.streaming.call import StreamCall
from muxi.streaming.deployments import DEPLOYMENT
from muxi.types import DeploymentEvent

__all__ = ["DeploymentsOperations"]

_ONE = "/rpc/formations/{formation_id}"


def _streamed_call(method: str, parts: dict[str, Any]) -> StreamCall[DeploymentEvent]:
    # The head may take as long as the silence of such a stream.
    return StreamCall(method, events=DEPLOYMENT, **{**parts, "timeout": HEALTH_CHECK_TIMEOUT})


class DeploymentsOperations:
    """Methods that stream the steps of the server.

    ::

        with server.deploy_formation_stream("my-bot.tar.gz") as steps:
            for step in steps:
                print(step.get("stage"), step.get("message"))
            print(steps.result()["url"])

    All of them: an ``error`` of the stream is raised with its ``code`` and ``stage``
    (:func:`muxi.streaming.deployments.deployment_error` has the classes); one that ends without ``complete`` or
    ``error`` is a :class:`~muxi.errors.StreamInterrupted`. Closing one early stops nothing: the server goes on.
    """

    @stream
    @hints(DEPLOY_HINT.replace("deploy_formation(", "deploy_formation_stream("))
    @reads_files
    def deploy_formation_stream(
        self,
        bundle_path: BundleSource | Prepared,
        *,
        formation_id: str | None = None,
        version: str | None = None,
        progress: Progress | None = None,
        packing: Progress | None = None,
    ) -> StreamCall[DeploymentEvent]:
        """Deploy a new formation, step by step (``POST /rpc/formations``).

        Args:
            bundle_path: as for ``deploy_formation``.
            formation_id: as for ``deploy_formation``.
            version: as for ``deploy_formation``.
            progress: as for ``deploy_formation``; it reports the upload, which precedes the first event.
            packing: as for ``deploy_formation``.

        Returns:
            An open stream; ``result()`` has what was deployed.

        Raises:
            ValidationError: the server would refuse the bundle; nothing has been sent.
            ConflictError: a formation of that id exists already.
        """
        return _streamed_call("POST", deploying(bundle_path, formation_id, version, progress, packing))

    @stream
    @hints(UPDATE_HINT.replace("update_formation(", "update_formation_stream("))
    @reads_files
    def update_formation_stream(
        self,
        formation_id: str,
        bundle_path: BundleSource | Prepared,
        *,
        version: str | None = None,
        progress: Progress | None = None,
        packing: Progress | None = None,
    ) -> StreamCall[DeploymentEvent]:
        """Put a new version in a formation's place, step by step (``PUT /rpc/formations/{formation_id}``).

        Args:
            formation_id: as for ``update_formation``.
            bundle_path: as for ``deploy_formation``.
            version: as for ``deploy_formation``.
            progress: as for ``deploy_formation``.
            packing: as for ``deploy_formation``.

        Returns:
            An open stream; ``result()`` has ``previous_version`` and ``new_version``, which are counters.

        Raises:
            ValidationError: the server would refuse the bundle; nothing has been sent.
            NotFoundError: there is no formation of that id.
            ConflictError: an update is going on.
        """
        return _streamed_call("PUT", {**updating(formation_id, bundle_path, version, progress, packing)})

    @stream
    def start_formation_stream(self, formation_id: str) -> StreamCall[DeploymentEvent]:
        """Start a formation, step by step (``POST /rpc/formations/{formation_id}/start``).

        Args:
            formation_id: its id. One that is not there is an error of the stream, not of this call.

        Returns:
            An open stream.
        """
        return _streamed_call("POST", {"path": f"{_ONE}/start", **about(formation_id)})

    @stream
    def restart_formation_stream(self, formation_id: str) -> StreamCall[DeploymentEvent]:
        """Stop a formation and start it, step by step (``POST /rpc/formations/{formation_id}/restart``).

        Args:
            formation_id: as for :meth:`start_formation_stream`.

        Returns:
            An open stream.
        """
        return _streamed_call("POST", {"path": f"{_ONE}/restart", **about(formation_id)})

    @stream
    def rollback_formation_stream(self, formation_id: str) -> StreamCall[DeploymentEvent]:
        """Go back to the previous version, step by step (``POST /rpc/formations/{formation_id}/rollback``).

        Args:
            formation_id: as for :meth:`start_formation_stream`.

        Returns:
            An open stream.
        """
        return _streamed_call("POST", {"path": f"{_ONE}/rollback", **about(formation_id)})

    @stream
    def deploy_draft_stream(self, formation_id: str) -> StreamCall[DeploymentEvent]:
        """Make a draft live, step by step (``POST /rpc/formations/{formation_id}/draft/files``).

        Args:
            formation_id: the draft's id.

        Returns:
            An open stream.

        Raises:
            NotFoundError: there is no draft of that id.
            ValidationError: its formation file cannot be read.
        """
        body = {"action": "deploy"}
        return _streamed_call("POST", {"path": f"{_ONE}/draft/files", "body": body, **about(formation_id)})
