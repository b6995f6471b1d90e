"""A server and its client in one of five ways: in memory in both colours, and over loopback by every HTTP transport."""

from __future__ import annotations

from typing import Any

from muxi import ManualClock
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedServer, MemoryTransport
from tests.answers import AsyncColour, Colour

KEY, SECRET = "muxi_pk_test", "muxi_sk_test"
RUNS = ("memory", "memory, async", "requests", "urllib3", "aiohttp")
AFS = "id: my-bot\nname: My Bot\ndescription: A bot\nversion: {version}\n"


class ServerRun:
    """A client of a server, whose answers are held to their schemas."""

    def __init__(self, name: str, server: EmbeddedServer, request: Any) -> None:
        self.server = server
        self.clock: Any = server.clock
        self.colour = AsyncColour() if name in ("memory, async", "aiohttp") else Colour()
        transport: Any = name
        url = "http://memory"
        if name == "memory":
            transport = MemoryTransport(server)
        elif name == "memory, async":
            transport = AsyncMemoryTransport(server)
        else:
            stage, served = request.getfixturevalue("served_stage")
            stage.world = server
            url = served.url
        self.client = self.colour.server(
            transport=transport,
            url=url,
            key_id=KEY,
            secret_key=SECRET,
            validate_responses="strict",
            clock=None if "memory" in name else self.clock,
        )

    def __call__(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> Any:
        """Call a method of the client, or of another one."""
        return self.colour.run(getattr(on or self.client, method), *args, **kwargs)

    def collect(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """The events of a stream."""
        return self.colour.collect(getattr(self.client, method), *args, **kwargs)

    def events(self, method: str, count: int, *args: Any, during: Any, **kwargs: Any) -> list[Any]:
        """Open a stream, let something happen, and take so many events."""
        if not self.colour.asynchronous:
            with getattr(self.client, method)(*args, **kwargs) as stream:
                during()
                return [next(stream) for _ in range(count)]

        async def taken() -> list[Any]:
            async with await getattr(self.client, method)(*args, **kwargs) as stream:
                during()
                return [await anext(stream) for _ in range(count)]

        return list(self.colour.run(taken))

    def close(self) -> None:
        self("close")
        self.colour.end()


def new_server(clock: ManualClock, **settings: Any) -> EmbeddedServer:
    """A server with the test's key."""
    return EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=clock, **settings)
