"""Ask several questions at once on one async client, and print each answer when it is whole.

Needs the extra for asyncio (pip install 'muxi-client[async]') and the environment that chat.py describes.
"""

from __future__ import annotations

import asyncio

from muxi import AsyncFormationClient

QUESTIONS = ("What is a formation?", "What is an agent?", "What is a session?")


async def ask(formation: AsyncFormationClient, question: str) -> str:
    pieces = 0
    async with formation.chat_stream({"message": question}, user_id="ada") as stream:
        async for _ in stream.text():
            pieces += 1
        message = await stream.result()
    return f"{message['content']} ({pieces} pieces)"


async def main() -> None:
    async with AsyncFormationClient() as formation:
        for answer in await asyncio.gather(*(ask(formation, question) for question in QUESTIONS)):
            print(answer)


if __name__ == "__main__":
    asyncio.run(main())
