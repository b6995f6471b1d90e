"""A server that answers each chat with the recorded stream that its message names, cut where it says.

``python -m tests.soak.hostile.stream_server`` prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
from functools import cache

from tests.soak.hostile.connection import Connection
from tests.soak.hostile.framings import Case, Framed, frame
from tests.soak.recorded import recorded_chats


async def _serve(sock: socket.socket) -> None:
    connection = Connection(sock)
    with contextlib.suppress(EOFError, OSError):
        while True:
            request = await connection.read_body(await connection.read_head())
            case = Case.parse(json.loads(request)["message"])
            framed = _framed(case.chat, case.framing)
            await connection.send(framed.head + framed.wire[: case.cut])
            if case.ending == "rst":
                # The reset destroys what the client has not read yet; sometimes it has the time to.
                await asyncio.sleep(random.Random(str(case)).choice((0, 0.002)))
                connection.reset()
                return
            if case.cut < len(framed.wire) or case.framing == "until-close":
                break
    connection.close()


@cache
def _framed(chat: int, framing: str) -> Framed:
    return frame(_CHATS[chat], framing)


_CHATS = recorded_chats()


async def _main() -> None:
    loop, tasks = asyncio.get_running_loop(), set()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)

    def accept() -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(_serve(sock))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    loop.add_reader(listener, accept)
    print(listener.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
