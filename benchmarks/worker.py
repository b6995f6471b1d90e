"""One measurement in a process of its own: ``python worker.py MEASUREMENT CONTENDER PORT [TLS_PORT AUTHORITY]``.

It prints a JSON object of figures. It runs in the environment of either SDK.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from contenders import CONTENDERS, Contender

#: Events in the server's streams of small and of large events.
SMALL_EVENTS, LARGE_EVENTS, SINGLE_EVENTS = 20_000, 200, 2_000
FRAMINGS = ("chunked", "length", "close", "gzip")


def cpu_per_run(function: Callable[[], object], runs: int, warm_up: int) -> float:
    """CPU microseconds of one run, after a warm-up."""
    for _ in range(warm_up):
        function()
    start = time.process_time()
    for _ in range(runs):
        function()
    return (time.process_time() - start) / runs * 1e6


def resident() -> float:
    """MiB of resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def peak() -> float:
    """MiB of resident memory at its highest so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def consume(events: Any) -> int:
    """Read a stream to its end and count its events."""
    return sum(1 for _ in events)


def unary(contender: Contender) -> dict[str, float]:
    """CPU of a GET, of a POST and of an answer of 1 MiB."""
    return {
        "memories": cpu_per_run(contender.memories, 1500, 100),
        "chat": cpu_per_run(contender.chat, 1500, 100),
        "large": cpu_per_run(contender.large, 40, 4),
    }


def streams(contender: Contender) -> dict[str, float]:
    """CPU per event: small ones and large ones in batches, and small ones that come one by one."""
    return {
        "small": cpu_per_run(lambda: consume(contender.stream("small")), 2, 1) / SMALL_EVENTS,
        "big": cpu_per_run(lambda: consume(contender.stream("big")), 5, 1) / LARGE_EVENTS,
        "single": cpu_per_run(lambda: consume(contender.stream("single")), 1, 0) / SINGLE_EVENTS,
    }


def first_event(contender: Contender) -> dict[str, float]:
    """Milliseconds from an event's leaving the server to its being in the caller's hands, the median of 15."""
    figures = {}
    for framing in FRAMINGS:
        delays = []
        for _ in range(15):
            stream = contender.stream(f"first {framing}")
            event = next(iter(stream))
            now = time.monotonic()
            delays.append((now - float(contender.text_of(event))) * 1000)
            consume(stream)
        figures[framing] = sorted(delays)[len(delays) // 2]
    return figures


def tls(contender: Contender) -> dict[str, float]:
    """CPU milliseconds of a new client, its TLS connection and one answer."""
    kind = type(contender)

    def once() -> None:
        made = kind(contender.base, contender.verify)
        made.memories()
        made.close()

    return {"set-up": cpu_per_run(once, 15, 2) / 1000}


def threads(contender: Contender) -> dict[str, float]:
    """CPU per call, and calls per second, with 32 threads on one client (http.client: a connection each)."""
    count, calls = 32, 100
    barrier = threading.Barrier(count + 1)

    def work() -> None:
        mine = contender.for_thread()
        mine.memories()
        barrier.wait()
        for _ in range(calls):
            mine.memories()
        barrier.wait()

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait()
    cpu, wall = time.process_time(), time.perf_counter()
    barrier.wait()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    for worker in workers:
        worker.join()
    return {"cpu": cpu / (count * calls) * 1e6, "rate": count * calls / wall}


def endurance(contender: Contender) -> dict[str, float]:
    """MiB of resident memory after a tenth, a half and all of 10,000 calls."""
    figures = {}
    for call in range(1, 10_001):
        contender.memories()
        if call in (1_000, 5_000, 10_000):
            figures[f"{call // 100} %"] = resident()
    return figures


def bundle(contender: Contender) -> dict[str, float]:
    """MiB by which memory grows at its highest while 1 GiB goes up, and while 1 GiB comes down; CPU seconds of each."""
    import io
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        archive, filler = Path(folder, "bundle.tar.gz"), Path(folder, "filler")
        with filler.open("wb") as file:
            file.truncate(1 << 30)
        formation = b"id: benchmark\ndescription: a large one\nversion: 1.0.0\n"
        with tarfile.open(archive, "w:gz", compresslevel=0) as packed:
            info = tarfile.TarInfo("benchmark/formation.afs")
            info.size = len(formation)
            packed.addfile(info, io.BytesIO(formation))
            packed.add(filler, "benchmark/filler")
        filler.unlink()
        contender.memories()
        up, up_cpu = grown_by(lambda: contender.upload(archive))
        archive.unlink()
        down, down_cpu = grown_by(lambda: contender.download(Path(folder, "down.zip")))
    return {"up": up, "down": down, "up, CPU s": up_cpu, "down, CPU s": down_cpu}


def grown_by(work: Callable[[], object]) -> tuple[float, float]:
    """MiB by which the highest of memory grows over something, and its CPU seconds."""
    before, cpu = peak(), time.process_time()
    work()
    return peak() - before, time.process_time() - cpu


def repeat(contender: Contender, kind: str, times: int) -> None:
    """Make the same call, or read the same stream, several times: what is measured is the whole process."""
    for _ in range(times):
        if kind in ("memories", "chat", "large"):
            getattr(contender, kind)()
        else:
            consume(contender.stream(kind))


def scan() -> dict[str, float]:
    """CPU milliseconds of the look for entry points, and of what importlib.metadata takes for the same."""
    from muxi.installed import look

    figures = {"look of the SDK": cpu_per_run(look.__wrapped__, 5, 1) / 1000}
    start = time.process_time()
    from importlib.metadata import entry_points

    entry_points(group="muxi")
    entry_points(group="muxi.transports")
    figures["importlib.metadata, loaded and asked once"] = (time.process_time() - start) * 1000
    return figures


@asynccontextmanager
async def _open_async(base: str, kind: str) -> AsyncIterator[tuple[Callable[[], Any], Callable[[str], Any]]]:
    """What an async client or library has for a page of memories, and for the texts of a chat stream."""
    headers = {"X-Muxi-Client-Key": "k", "X-Muxi-User-ID": "ada"}
    if kind == "aiohttp":
        import aiohttp

        unbounded = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=headers, connector=unbounded) as session:

            async def aiohttp_get() -> object:
                async with session.get(f"{base}/memories") as answer:
                    return json.loads(await answer.read())

            async def aiohttp_lines(message: str) -> AsyncIterator[Any]:
                async with session.post(f"{base}/chat", json={"message": message, "stream": True}) as answer:
                    async for line in answer.content:
                        yield line

            yield aiohttp_get, lambda message: _texts(aiohttp_lines(message))
    elif kind == "httpx":
        import httpx

        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:

            async def httpx_get() -> object:
                return json.loads((await client.get(f"{base}/memories")).content)

            async def httpx_lines(message: str) -> AsyncIterator[Any]:
                asked = {"message": message, "stream": True}
                async with client.stream("POST", f"{base}/chat", json=asked) as answer:
                    async for line in answer.aiter_lines():
                        yield line.encode()

            yield httpx_get, lambda message: _texts(httpx_lines(message))
    else:
        from muxi import AsyncFormationClient

        sdk: Any = AsyncFormationClient(base_url=base, client_key="k")

        async def official_texts(message: str) -> AsyncIterator[str]:
            async for event in await sdk.chat_stream({"message": message}, user_id="ada"):
                token = json.loads(event["data"]).get("token")
                if token is not None and token["type"] == "content":
                    yield token["content"]

        async def our_texts(message: str) -> AsyncIterator[str]:
            async for event in sdk.chat_stream({"message": message}, user_id="ada"):
                if event.get("type") == "text":
                    yield event["text"]

        yield (lambda: sdk.get_memories("ada")), official_texts if kind == "official" else our_texts
        if kind != "official":
            await sdk.close()


async def _texts(lines: AsyncIterator[bytes]) -> AsyncIterator[str]:
    async for line in lines:
        if line.startswith(b"data:"):
            token = json.loads(line[5:]).get("token")
            if token is not None and token["type"] == "content":
                yield token["content"]


async def many_streams(base: str, kind: str, count: int = 1000) -> dict[str, float]:
    """How many of 1,000 concurrent streams of one async client gave their whole answer, and how long all took."""
    expected = "".join(f"{number} " for number in range(20))
    async with _open_async(base, kind) as (_, texts):

        async def one() -> bool:
            try:
                return "".join([text async for text in texts("slow")]) == expected
            except Exception as error:  # whatever the library raises, the answer was not whole
                print(f"{kind}: {error!r}", file=sys.stderr)
                return False

        start, cpu = time.perf_counter(), time.process_time()
        whole = await asyncio.gather(*(one() for _ in range(count)))
        seconds = time.perf_counter() - start
        return {"whole": sum(whole), "seconds": seconds, "cpu": (time.process_time() - cpu) / count * 1e3}


async def asynchronous(base: str, kind: str) -> dict[str, float]:
    """CPU of a call, and of an event of a stream, with one async client."""
    async with _open_async(base, kind) as (get, texts):

        async def read() -> None:
            async for _ in texts("small"):
                pass

        return await _measure_async(get, read, 1000)


async def _measure_async(get: Callable[[], Any], read: Callable[[], Any], calls: int) -> dict[str, float]:
    for _ in range(50):
        await get()
    start = time.process_time()
    for _ in range(calls):
        await get()
    unary_cpu = (time.process_time() - start) / calls * 1e6
    await read()
    start = time.process_time()
    await read()
    return {"memories": unary_cpu, "small": (time.process_time() - start) / SMALL_EVENTS * 1e6}


MEASUREMENTS: dict[str, Callable[[Contender], dict[str, float]]] = {
    "unary": unary,
    "streams": streams,
    "first event": first_event,
    "tls": tls,
    "threads": threads,
    "endurance": endurance,
    "bundle": bundle,
}
ASYNC_MEASUREMENTS: dict[str, Callable[[str, str], Any]] = {"async": asynchronous, "many streams": many_streams}


def main() -> None:
    """Print the figures of one measurement of one contender."""
    measurement, name, port = sys.argv[1:4]
    if measurement == "scan":
        print(json.dumps(scan()))
        return
    if measurement in ASYNC_MEASUREMENTS:
        print(json.dumps(asyncio.run(ASYNC_MEASUREMENTS[measurement](f"http://127.0.0.1:{port}/v1", name))))
        return
    base, verify = f"http://127.0.0.1:{port}/v1", None
    if measurement == "repeat":
        repeated = CONTENDERS[name](base)
        for kind, times in zip(sys.argv[4::2], sys.argv[5::2], strict=True):
            repeat(repeated, kind, int(times))
        return
    if measurement == "tls":
        base, verify = f"https://localhost:{sys.argv[4]}/v1", sys.argv[5]
    contender = CONTENDERS[name](base, verify)
    print(json.dumps(MEASUREMENTS[measurement](contender)))
    contender.close()


if __name__ == "__main__":
    main()
