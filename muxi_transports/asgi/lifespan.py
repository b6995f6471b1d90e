"""The start and the end of an ASGI application (the lifespan protocol)."""

from __future__ import annotations

import asyncio
from typing import Any

from muxi.errors import ConnectionError
from muxi.redact import redact_text
from muxi_transports.asgi.visit import App, AsgiMessage
from muxi_transports.http.application import log_late, logger

__all__ = ["Lifespan"]


class Lifespan:
    """One life of an application, in a task of its own from its start to its end.

    Args:
        app: the application.
        required: whether an application that knows no lifespan is an error.
    """

    def __init__(self, app: App, *, required: bool) -> None:
        self._app = app
        self._required = required
        #: What the application keeps; each request gets a copy.
        self.state: dict[str, Any] = {}
        self._to_app: asyncio.Queue[AsgiMessage] = asyncio.Queue()
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped = asyncio.Event()
        self._supported = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, wait: float | None) -> None:
        """Start the application; returns when it is ready.

        Args:
            wait: how long to wait for it, in seconds; it goes on starting all the same.

        Raises:
            ConnectionError: it could not be started; ``connected`` is false.
            asyncio.TimeoutError: it was not ready in time.
        """
        if self._task is None:
            self._to_app.put_nowait({"type": "lifespan.startup"})
            self._task = asyncio.ensure_future(self._run())
        if not self._started.done():
            # Several requests may wait for it; one that gives up must not take it along.
            await asyncio.wait_for(asyncio.shield(self._started), wait)
        self._started.result()

    async def stop(self, grace: float) -> None:
        """Shut the application down.

        Args:
            grace: how long it may take, in seconds; then it is cancelled.
        """
        task = self._task
        if task is None:
            return
        if self._supported:
            self._to_app.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait({task}, timeout=grace)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        scope: AsgiMessage = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._to_app.get, self._send)
        except asyncio.CancelledError:
            self._fail("it was cancelled")
            raise
        except Exception as error:
            if self._started.done():
                log_late(error)
            elif self._required:
                self._fail(f"it raised {type(error).__name__}: {error}", error)
            # Otherwise: this is how an application says that it knows no lifespan.
        finally:
            if not self._started.done():
                if self._required:
                    self._fail("it does not know the lifespan protocol")
                else:
                    self._started.set_result(None)

    async def _send(self, message: AsgiMessage) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self._started.done():
            self._supported = True
            self._started.set_result(None)
        elif kind == "lifespan.startup.failed":
            self._fail(str(message.get("message") or "it says no more"))
        elif kind == "lifespan.shutdown.failed":
            logger.error("the application did not shut down: %s", redact_text(str(message.get("message") or "")))

    def _fail(self, reason: str, cause: BaseException | None = None) -> None:
        if self._started.done():
            return
        error = ConnectionError(
            "CONNECTION_FAILED", redact_text(f"the application did not start: {reason}"), connected=False
        )
        error.__cause__ = cause
        self._started.set_exception(error)
        self._started.exception()  # whoever waited may have left
