"""The server itself: its health, its status and its logs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from muxi.bundles.identity import check_id
from muxi.call import Call, Key, Procedure, Wait, send
from muxi.client.endpoints import operation, procedure, stream
from muxi.errors import ServerError
from muxi.operations.formations import about
from muxi.operations.limits import Choice, Range
from muxi.streaming.call import StreamCall
from muxi.streaming.deployments import FORMATION_LOG
from muxi.types import FormationLogEvent, FormationLogs, ServerHealth, ServerStatus

if TYPE_CHECKING:
    from muxi.client.core import Core

__all__ = ["ServerStatusOperations"]

#: The server takes more for the most that it gives, and less for its default.
_LINES = {"lines": Range(1, 10_000, argument="limit")}
_PLAIN = {"Accept": "text/plain"}


class ServerStatusOperations:
    """Methods about a server as a whole, and about logs."""

    if TYPE_CHECKING:
        _core: Core

    @procedure
    def ping(self) -> Procedure[int]:
        """Measure the round trip to the server. Takes no key (``GET /ping``).

        The official SDK returns a whole number too, the length of the answer (4), for code that only asks whether
        it is true; here the number means something.

        Returns:
            The milliseconds until the answer was there, at least 1, retries included.

        Raises:
            ConnectionError: it is not there.
            ServerError: something else than a server answered.
        """
        call: Call[str] = Call.get("/ping", key=Key.NONE, headers=_PLAIN, plain_text=True, operation="ping")
        answer = yield from send(call)
        if answer.strip() != "pong":
            raise ServerError("UNEXPECTED_ANSWER", f"a server answers a ping with 'pong', and not with {answer[:40]!r}")
        seconds: float = yield Wait(0.0)
        return max(1, math.ceil(seconds * 1000))

    @operation
    def health(self) -> Call[ServerHealth]:
        """Get the health and the version of the server. Takes no key (``GET /health``)."""
        return Call.get("/health", key=Key.NONE, returns="ServerHealth")

    @operation
    def status(self) -> Call[ServerStatus]:
        """Get the status of the server (``GET /rpc/server/status``)."""
        return Call.get("/rpc/server/status", key=Key.SIGNATURE, returns="ServerStatus")

    @operation
    def get_server_logs(self, *, limit: int | None = None) -> Call[str]:
        """Get the last lines of the server's audit log (``GET /rpc/server/logs``).

        Args:
            limit: how many lines, from 1 to 10000; 100 if not given.

        Returns:
            The text, each line with its end; empty where the server keeps no such log.
        """
        return Call.get(
            "/rpc/server/logs",
            query={"lines": limit},
            limits=_LINES,
            key=Key.SIGNATURE,
            headers=_PLAIN,
            plain_text=True,
            returns="str",
        )

    @operation
    def get_formation_logs(
        self,
        formation_id: str,
        *,
        limit: int | None = None,
        stream: Literal["stdout", "stderr", "all"] | None = None,
    ) -> Call[FormationLogs]:
        """Get the last lines of a formation's output (``GET /rpc/formations/{formation_id}/logs``).

        Args:
            formation_id: its id.
            limit: how many lines of each output, from 1 to 10000; 100 if not given.
            stream: which output; ``all`` if not given.

        Returns:
            ``logs`` by output (None where there is nothing), and ``total_lines``.

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.get(
            "/rpc/formations/{formation_id}/logs",
            **about(formation_id),
            query={"lines": limit, "stream": stream},
            limits={**_LINES, "stream": Choice(("stdout", "stderr", "all"))},
            returns="FormationLogs",
        )

    @stream
    def stream_formation_logs(
        self, formation_id: str, *, stream: Literal["stdout", "stderr"] | None = None
    ) -> StreamCall[FormationLogEvent]:
        """Stream a formation's output from now on (``GET /rpc/formations/{formation_id}/logs``).

        The server looks twice a second, sends no keepalives, and never ends the stream: leave it with ``close()``
        or ``with``, and give ``idle_timeout=`` to bound a silence.

        Args:
            formation_id: its id.
            stream: which output, ``stdout`` if not given; the server follows only one.

        Returns:
            An open stream: a ``connected`` event, then a ``log`` event with ``line`` for each line.

        Raises:
            NotFoundError: there is none of that id.
        """
        return StreamCall(
            "GET",
            "/rpc/formations/{formation_id}/logs",
            **about(formation_id),
            query={"follow": True, "stream": stream},
            limits={"stream": Choice(("stdout", "stderr"))},
            events=FORMATION_LOG,
        )

    @property
    def docs_url(self) -> str:
        """Address of the redirect to the platform's documentation (``GET /docs``)."""
        return f"{self._core.address.base_url}/docs"

    def mcp_url(self, formation_id: str) -> str:
        """Address of a formation's tools for MCP clients (``/mcp/{formation_id}``).

        Args:
            formation_id: its id.

        Raises:
            ValidationError: that cannot be an id.
        """
        check_id(formation_id)
        return f"{self._core.address.base_url}/mcp/{quote(formation_id)}"
