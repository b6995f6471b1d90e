"""The hostile server, in a process of its own: ``python -m tests.soak.hostile.server SEED [--calm] [--faultless]``.

It prints its port, performs for each attempt of each call the fault that the call's plan has, and breaks some
connections besides, whoever comes. A line ``ledger`` on its standard input makes it print what it has done, as JSON;
the end of its input ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
import time
from collections.abc import Coroutine
from dataclasses import astuple

from tests.soak.hostile.answers import answer
from tests.soak.hostile.connection import Connection, Head
from tests.soak.hostile.performances import BEFORE_BODY, PERFORMANCES, Attempt
from tests.soak.judge import Ledger, Seen
from tests.soak.plan import marker_of, number_of, plan_of

__all__ = ["HostileServer"]

#: One in so many connections is reset as soon as it has been accepted.
_RESETS = 100
#: One in so many makes the server stop accepting for a moment.
_PAUSES = 300
_PAUSE = 0.2
#: The listener is gone for so long, in seconds, every so many.
_GONE = 0.12
_GONE_EVERY = 2.0
#: Likewise when a client asks for it with ``POST /vanish``.
_RESTART = 0.3


class HostileServer:
    """Answers calls by their plans, and writes down what it did.

    Args:
        seed: the seed of the plans.
        calm: break no connections but those that a plan says.
        faultless: serve every call, after up to some milliseconds and in two pieces.
    """

    def __init__(self, seed: int, *, calm: bool = False, faultless: bool = False) -> None:
        self._seed = seed
        self._faultless = faultless
        self._calm = calm
        self._draw = random.Random(f"{seed}/connections")
        self.ledger = Ledger()
        self._removed: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    async def run(self) -> None:
        """Serve until cancelled."""
        self._open()
        while True:
            await asyncio.sleep(_GONE_EVERY)
            if not self._calm:
                await self._vanish()

    def _open(self) -> None:
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _shut(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # it has gone again
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._calm:
            if self._draw.randrange(_RESETS) == 0:
                began = time.monotonic()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                self.ledger.breaks.append((began, time.monotonic()))
                return
            if self._draw.randrange(_PAUSES) == 0:
                self._start(self._pause())
        self._start(self._serve(Connection(sock, self.ledger.breaks)))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pause(self) -> None:
        """Accept nothing for a moment."""
        listener = self._listener
        self._shut()
        await asyncio.sleep(_PAUSE)
        # It may have vanished meanwhile.
        if listener is self._listener and listener.fileno() >= 0:
            self._open()

    async def _vanish(self, seconds: float = _GONE) -> None:
        """Be gone for a moment: connections are refused, and those that had not been accepted are reset."""
        self._shut()
        began = time.monotonic()
        self._listener.close()
        self.ledger.breaks.append((began, time.monotonic()))
        await asyncio.sleep(seconds)
        self._listener = self._listen(self.port)
        self._open()

    @staticmethod
    def _listen(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Small, so that an upload that is not read does not fit into the system's buffers.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
        listener.setblocking(False)
        return listener

    async def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while not connection.closed:
                await self._answer(connection, await connection.read_head())
        connection.close()

    async def _answer(self, connection: Connection, head: Head) -> None:
        """Answer one request."""
        if head.raw.startswith(b"POST /vanish "):
            await connection.send_and_close(answer("204 No Content", b""))
            await self._vanish(_RESTART)
            return
        number, body = number_of(head.raw), None
        if number is None:
            body = await connection.read_body(head)
            number = number_of(body)
        if number is None:
            raise EOFError
        plan = plan_of(self._seed, number)
        if self._faultless:
            plan = plan.without_faults()
        seen = self.ledger.seen.setdefault(number, [])
        place = len(seen)
        fault = plan.fault(place)
        # The place is taken before the body has been read: another attempt of the call may come meanwhile.
        key = head.value("x-muxi-idempotency-key")
        seen.append(Seen(fault.name, False, key, connection.unasked))
        if body is None and fault.name not in BEFORE_BODY:
            await connection.read_body(head)
        gone = plan.kind.repeat == "removal" and number in self._removed
        if plan.is_run(place):
            seen[place] = Seen(fault.name, True, key, connection.unasked)
            self._removed.add(number)
        draw = random.Random(f"{self._seed}/{number}/{place}")
        if self._faultless:
            await asyncio.sleep(draw.choice((0, 0, 0.001, 0.003)))
        perform = PERFORMANCES["in-two-pieces" if self._faultless else fault.name]
        attempt = Attempt(connection, fault.name, plan.kind.name, marker_of(number), draw, gone)
        was_unasked = connection.unasked is not None
        await perform(attempt)
        if was_unasked:
            # The client has taken the unasked answer for this one's, so that this one is what it did not ask for.
            connection.unasked = time.monotonic()


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--calm", action="store_true")
    parser.add_argument("--faultless", action="store_true")
    options = parser.parse_args()
    server = HostileServer(options.seed, calm=options.calm, faultless=options.faultless)
    running = asyncio.create_task(server.run())
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "ledger":
            seen = {number: [astuple(it) for it in attempts] for number, attempts in server.ledger.seen.items()}
            print(json.dumps({"seen": seen, "breaks": server.ledger.breaks}), flush=True)
    running.cancel()


if __name__ == "__main__":
    asyncio.run(_main())
