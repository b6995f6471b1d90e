"""Calls of each kind through this SDK, sync and async; each answer is returned as its text."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from muxi import (
    AsyncFormationClient,
    AsyncServerClient,
    FormationClient,
    MuxiError,
    ServerClient,
)
from muxi.plugins import Retry, RetryBudget
from tests.soak.judge import Outcome
from tests.soak.plan import Plan, marker_of
from tests.soak.workers.results import text_of

__all__ = ["AsyncCaller", "SyncCaller", "failure_of", "make_bundle"]

#: Bounds that a drip is ended by, in seconds, and short waits: the run is to end in minutes.
_OPTIONS: dict[str, Any] = {"timeout": 8.0, "connect_timeout": 5.0}
_STREAM_OPTIONS: dict[str, Any] = {"idle_timeout": 3.0, "stall_timeout": 4.0}


def retry() -> Retry:
    """Repetitions as they are by default, with shorter waits and a budget without end.

    The budget keeps many clients from hammering a dead server. This server is never dead, but so many of its answers
    are faults that the budget would be the reason of most failures; the part ``restarts`` runs with the
    default one.
    """
    return Retry(RetryBudget(capacity=1e9), base=0.05, cap=0.2)


def make_bundle(folder: Path) -> Path:
    """A bundle of some hundred kilobytes, which does not fit into the server's buffers."""
    path = folder / "soaked.tar.gz"
    files = {
        "soaked/formation.afs": b"id: soaked\ndescription: one that is sent often\nversion: 1.0.0\n",
        "soaked/filler": bytes(192 * 1024),
    }
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


class _Caller:
    """What both colours have in common: clients, and how a call is made of a plan."""

    formation: Any
    server: Any

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bundle = make_bundle(folder)

    def start(self, plan: Plan) -> Any:
        """The call's result, stream or coroutine."""
        marker, kind = marker_of(plan.number), plan.kind.name
        formation = self.formation
        if kind == "memories":
            return formation.get_memories(marker)
        if kind == "chat":
            return formation.chat({"message": marker}, user_id=marker)
        if kind == "chat-own-key":
            return formation.with_options(idempotency_key=f"key-{marker}").chat({"message": marker}, user_id=marker)
        if kind == "note":
            return formation.add_memory(marker, user_id=marker)
        if kind == "removal":
            return formation.delete_memory(marker, marker)
        if kind == "stream":
            return formation.chat_stream({"message": marker}, user_id=marker)
        if kind == "upload":
            return self.server.with_options(headers={"X-Soak-Call": marker}).deploy_formation(self._bundle)
        if kind == "download":
            return formation.download_artifact(marker, self._file(marker), marker)
        raise ValueError(f"no call of the kind {kind!r}")

    def text(self, plan: Plan, result: Any) -> str:
        """The text of a result."""
        if plan.kind.name == "download":
            file = self._file(marker_of(plan.number))
            text = file.read_text()
            file.unlink()
            return text
        try:
            return text_of(plan.kind.name, result)
        except (KeyError, TypeError):
            return repr(result)  # not an answer to this call

    def _file(self, marker: str) -> Path:
        return self._folder / marker


class SyncCaller(_Caller):
    """Makes calls through sync clients.

    Args:
        url: the server.
        folder: for what is sent and received.
        make_transport: makes the transport, once for each client.
    """

    def __init__(self, url: str, folder: Path, make_transport: Callable[[], object]) -> None:
        super().__init__(folder)
        common: dict[str, Any] = {"transport": make_transport, "plugins": [retry()], **_OPTIONS}
        self.formation = FormationClient(url=url, client_key="k", **common, **_STREAM_OPTIONS)
        self.server = ServerClient(url=url, key_id="k", secret_key="s", **common)

    def call(self, plan: Plan) -> str:
        """Make the call and return its text."""
        result = self.start(plan)
        if plan.kind.name == "stream":
            with result:
                printed = "".join(result.text())
                return printed if result.result()["content"] == printed else ""
        return self.text(plan, result)

    def __enter__(self) -> SyncCaller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.formation.close()
        self.server.close()


class AsyncCaller(_Caller):
    """Makes calls through async clients; see :class:`SyncCaller`."""

    def __init__(self, url: str, folder: Path, make_transport: Callable[[], object]) -> None:
        super().__init__(folder)
        self._transports: list[Any] = []

        def make() -> object:
            self._transports.append(make_transport())
            return self._transports[-1]

        common: dict[str, Any] = {"transport": make, "plugins": [retry()], **_OPTIONS}
        self.formation = AsyncFormationClient(url=url, client_key="k", **common, **_STREAM_OPTIONS)
        self.server = AsyncServerClient(url=url, key_id="k", secret_key="s", **common)

    async def call(self, plan: Plan) -> str:
        """Make the call and return its text."""
        result = await self.start(plan)
        if plan.kind.name == "stream":
            async with result:
                printed = "".join([piece async for piece in result.text()])
                return printed if (await result.result())["content"] == printed else ""
        return self.text(plan, result)

    async def drop_connections(self) -> None:
        """Close all kept connections; the next call makes a new one."""
        for transport in self._transports:
            await transport.close()

    async def __aenter__(self) -> AsyncCaller:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.formation.close()
        await self.server.close()


def failure_of(plan: Plan, error: BaseException, began: float, ended: float) -> Outcome:
    """The outcome of a call that raised this."""
    text = f"{type(error).__module__}.{type(error).__name__}: {error}"
    if not isinstance(error, MuxiError):
        return Outcome(plan.number, "foreign", text, began=began, ended=ended)
    connected = getattr(error, "connected", None)
    return Outcome(plan.number, "error", text, error.attempts, connected, began, ended)
