"""A gateway of your own and a formation behind it, all in one process: no port, no network.

The gateway is an ASGI application (here a few lines; it might be FastAPI). It adds a header to what the formation
answers. Only chats go through it: a routing transport leads everything else straight to the formation.
"""

from __future__ import annotations

from typing import Any

from muxi import FormationClient
from muxi_transports.asgi import SyncAsgiTransport
from muxi_transports.memory import EmbeddedFormation, MemoryTransport, WorldApp
from muxi_transports.routing import RoutingTransport


class Gateway:
    """An application in front of another one."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-gateway", b"mine")]
            await send(message)

        await self.inner(scope, receive, send_marked)


def main() -> None:
    world = EmbeddedFormation(client_key="fmc_demo")
    with (
        SyncAsgiTransport(Gateway(WorldApp(world))) as gateway,
        RoutingTransport({"/v1/chat": gateway}, default=MemoryTransport(world)) as transport,
        FormationClient(transport=transport, url="http://localhost", client_key="fmc_demo") as formation,
    ):
        for piece in formation.chat_stream("Hello, gateway!", user_id="ada").text():
            print(piece, end="", flush=True)
        print()
        chat = formation.with_raw_response.chat("And again", user_id="ada")
        sessions = formation.with_raw_response.get_sessions("ada")
        print("chat came through the gateway:", chat.headers.get("x-gateway") == "mine")
        print("sessions came through the gateway:", sessions.headers.get("x-gateway") == "mine")


if __name__ == "__main__":
    main()
