"""The bare libraries below the SDKs: the request that they send too, and the JSON of its answer.

Each is imported where it is measured.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from contender import CHAT, Contender

__all__ = ["Aiohttp", "HttpClient", "Httpx", "Requests", "Urllib3"]

HEADERS = {"X-Muxi-Client-Key": "fmc_benchmark", "X-Muxi-User-ID": "ada", "Accept": "application/json"}
#: Bytes of a download that are read at a time.
PIECE = 1 << 16


class Bare(Contender):
    """A library alone: the request, and the JSON of its answer."""

    @abstractmethod
    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        """The body of the answer."""

    @abstractmethod
    def lines(self, body: bytes) -> Iterator[bytes]:
        """The lines of the body of a stream's answer, as they arrive."""

    @abstractmethod
    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        """Post a file as it stands, without reading it into memory."""

    @abstractmethod
    def receive(self, url: str) -> Iterator[bytes]:
        """The pieces of a body, as they come."""

    def upload(self, bundle: Path) -> object:
        headers = {"Content-Type": "application/gzip", "Content-Length": str(bundle.stat().st_size)}
        with bundle.open("rb") as file:
            return self.send(f"{self.base.removesuffix('/v1')}/rpc/formations", file, headers)

    def download(self, target: Path) -> object:
        with target.open("wb") as file:
            for piece in self.receive(f"{self.base.removesuffix('/v1')}/rpc/formations/large/download"):
                file.write(piece)
        return target

    def memories(self) -> object:
        return json.loads(self.exchange("GET", "/memories", None, "ada"))

    def chat(self) -> object:
        return json.loads(self.exchange("POST", "/chat", json.dumps(CHAT).encode(), "ada"))

    def large(self) -> object:
        return json.loads(self.exchange("GET", "/memories", None, "large"))

    def stream(self, message: str) -> Iterator[Any]:
        for line in self.lines(json.dumps({"message": message, "stream": True}).encode()):
            if line.startswith(b"data:"):
                yield json.loads(line[5:])

    def headers(self, user: str, body: bytes | None) -> dict[str, str]:
        """The headers that the SDKs send too."""
        headers = {**HEADERS, "X-Muxi-User-ID": user}
        return headers if body is None else {**headers, "Content-Type": "application/json"}


class HttpClient(Bare):
    """``http.client``: the floor of the standard library."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        import http.client
        import ssl
        from urllib.parse import urlsplit

        parts = urlsplit(base)
        self.prefix = parts.path
        self.connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=verify)
            self.connection = http.client.HTTPSConnection(parts.netloc, context=context)
        else:
            self.connection = http.client.HTTPConnection(parts.netloc)

    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        self.connection.request(method, self.prefix + path, body, self.headers(user, body))
        return self.connection.getresponse().read()

    def lines(self, body: bytes) -> Iterator[bytes]:
        import gzip

        self.connection.request("POST", self.prefix + "/chat", body, self.headers("ada", body))
        answer = self.connection.getresponse()
        packed = answer.getheader("Content-Encoding") == "gzip"
        yield from gzip.GzipFile(fileobj=answer) if packed else answer
        answer.read()  # the end of the last chunk, behind the end of what was packed

    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        self.connection.request("POST", url, file, headers)
        return self.connection.getresponse().read()

    def receive(self, url: str) -> Iterator[bytes]:
        self.connection.request("GET", url)
        answer = self.connection.getresponse()
        while piece := answer.read(PIECE):
            yield piece

    def for_thread(self) -> Contender:
        return HttpClient(self.base, self.verify)

    def close(self) -> None:
        self.connection.close()


class Urllib3(Bare):
    """urllib3's pool manager."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        import urllib3

        self.pool = urllib3.PoolManager(ca_certs=verify)

    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        headers = self.headers(user, body)
        return self.pool.request(method, self.base + path, body=body, headers=headers, retries=False).data

    def lines(self, body: bytes) -> Iterator[bytes]:
        answer = self.pool.request(
            "POST", self.base + "/chat", body=body, headers=self.headers("ada", body), preload_content=False
        )
        left = b""
        for piece in answer.stream(decode_content=True):
            *whole, left = (left + piece).split(b"\n")
            yield from whole
        answer.release_conn()

    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        return self.pool.request("POST", url, body=file, headers=headers, retries=False).data

    def receive(self, url: str) -> Iterator[bytes]:
        answer = self.pool.request("GET", url, preload_content=False)
        yield from answer.stream(PIECE)
        answer.release_conn()

    def close(self) -> None:
        self.pool.clear()


class Requests(Bare):
    """requests with a session."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        import requests

        self.session = requests.Session()
        self.session.verify = verify or True

    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        return self.session.request(method, self.base + path, data=body, headers=self.headers(user, body)).content

    def lines(self, body: bytes) -> Iterator[bytes]:
        headers = self.headers("ada", body)
        with self.session.post(self.base + "/chat", data=body, headers=headers, stream=True) as answer:
            yield from answer.iter_lines(chunk_size=None)

    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        return self.session.post(url, data=file, headers=headers).content

    def receive(self, url: str) -> Iterator[bytes]:
        with self.session.get(url, stream=True) as answer:
            yield from answer.iter_content(PIECE)

    def close(self) -> None:
        self.session.close()


class Httpx(Bare):
    """httpx with a client."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        import ssl

        import httpx

        self.client = httpx.Client(verify=ssl.create_default_context(cafile=verify) if verify else True)

    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        return self.client.request(method, self.base + path, content=body, headers=self.headers(user, body)).content

    def lines(self, body: bytes) -> Iterator[bytes]:
        headers = self.headers("ada", body)
        with self.client.stream("POST", self.base + "/chat", content=body, headers=headers) as answer:
            for line in answer.iter_lines():
                yield line.encode()

    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        return self.client.post(url, content=file, headers=headers).content

    def receive(self, url: str) -> Iterator[bytes]:
        with self.client.stream("GET", url) as answer:
            yield from answer.iter_bytes(PIECE)

    def close(self) -> None:
        self.client.close()


class Aiohttp(Bare):
    """aiohttp with a session, on a loop that runs for each call: for what is measured in memory, not in time."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        import asyncio

        self.loop = asyncio.new_event_loop()
        self.session = self.loop.run_until_complete(self._open())

    async def _open(self) -> Any:
        import aiohttp

        return aiohttp.ClientSession()

    def exchange(self, method: str, path: str, body: bytes | None, user: str) -> bytes:
        return self.loop.run_until_complete(
            self._ask(method, self.base + path, data=body, headers=self.headers(user, body))
        )

    async def _ask(self, method: str, url: str, **given: Any) -> bytes:
        async with self.session.request(method, url, **given) as answer:
            body: bytes = await answer.read()
            return body

    def lines(self, body: bytes) -> Iterator[bytes]:
        asked = self.session.post(self.base + "/chat", data=body, headers=self.headers("ada", body))
        answer = self.loop.run_until_complete(asked)
        left = b""  # readline() refuses the large events
        while piece := self.loop.run_until_complete(answer.content.readany()):
            *whole, left = (left + piece).split(b"\n")
            yield from whole

    def send(self, url: str, file: BinaryIO, headers: dict[str, str]) -> object:
        return self.loop.run_until_complete(self._ask("POST", url, data=file, headers=headers))

    def receive(self, url: str) -> Iterator[bytes]:
        answer = self.loop.run_until_complete(self.session.get(url))
        while piece := self.loop.run_until_complete(answer.content.read(PIECE)):
            yield piece

    def close(self) -> None:
        self.loop.run_until_complete(self.session.close())
        self.loop.close()
