"""A program that is frozen: the lazily imported parts of the SDK, in both colours. Its only argument is a formation."""

from __future__ import annotations

import asyncio
import sys

from muxi import AsyncFormationClient, FormationClient, FormationConfig, MuxiError, webhook
from muxi.plugins import Retry


async def ask(url: str) -> str:
    async with AsyncFormationClient(url=url, client_key="any") as client:
        return "".join([piece async for piece in client.chat_stream("async", user_id="ada").text()])


def main() -> None:
    url = sys.argv[1]
    for transport in ("memory", "requests", "urllib3"):
        address = {} if transport == "memory" else {"url": url, "client_key": "any"}
        with FormationClient(transport=transport, **address) as client:  # type: ignore[arg-type]  # texts, all of them
            print(transport, client.ask("sync", user_id="ada"))
            client.add_memory("Prefers Python", user_id="ada")
            try:
                client.delete_memory("ada", "none")
            except MuxiError as error:
                print(type(error).__name__)
    print("aiohttp", asyncio.run(ask(url)))
    print(FormationConfig.__name__, Retry.__name__, webhook.SIGNATURE_HEADER)


if __name__ == "__main__":
    main()
