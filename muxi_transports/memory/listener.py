"""uvicorn in a thread: started when it is ready, stopped on request. Needs the extra ``[cli]``."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn

from muxi_transports.memory.asgi import WorldApp
from muxi_transports.memory.world import World

__all__ = ["Listener"]


class _Server(uvicorn.Server):
    """A uvicorn that says when it is ready and stops by event; the original looks every 0.1 s."""

    def __init__(self, config: uvicorn.Config, app: WorldApp) -> None:
        super().__init__(config)
        self.app = app
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._told.wait()
        self.app.close()

    def tell(self) -> None:
        """Stop; from any thread."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._told.set)


class Listener:
    """Serves a world on a socket, in a thread.

    Args:
        world: the world.
        listening: the socket, bound; it is closed in the end.
    """

    def __init__(self, world: World, listening: socket.socket) -> None:
        app = WorldApp(world)
        config = uvicorn.Config(
            app,
            lifespan="off",
            # The answers bring their own `date` and `server`; the process keeps its logging as it is.
            date_header=False,
            server_header=False,
            log_config=None,
            log_level=None,
            access_log=False,
            http="h11",
            ws="none",
        )
        # Connections inherit it. An answer is written in two pieces, of which the second would otherwise wait for the
        # client's delayed acknowledgement of the first: 40 ms for every call.
        if listening.family in (socket.AF_INET, socket.AF_INET6):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = _Server(config, app)
        self._socket = listening
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="muxi-memory-server", daemon=True)

    def start(self) -> None:
        """Start serving; returns when the port answers."""
        self._thread.start()
        self._server.ready.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop serving; returns when everything is closed."""
        self._server.tell()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except BaseException as error:
            self._error = error
        finally:
            self._server.ready.set()
