"""A stub of a language model on loopback, with OpenAI's interface: completions, streams, embeddings, transcriptions."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from tests.live.lab.replies import all_text, bare_message, find_mark, is_step, last_user_text, reply_to

__all__ = ["TRANSCRIPT", "ModelCall", "StubModel"]

#: What every voice note says.
TRANSCRIPT = "hello from the voice note"

#: Length of an embedding, unless the request names one.
_DIMENSIONS = 1536


class ModelCall(NamedTuple):
    """One request to the model."""

    kind: str
    #: All that was sent to be completed.
    text: str
    reply: str


class StubModel:
    """The stub, which listens until it is closed, in a thread of its own."""

    def __init__(self) -> None:
        #: Every request, in order.
        self.calls: list[ModelCall] = []
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="stub model")
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def turns(self, text: str) -> int:
        """Return how many turns were about this text, by the question that each turn asks once."""
        marks = ("is_security_threat", "complexity_score")
        return sum(
            call.kind == "chat" and all(mark in call.text for mark in marks) and text in call.text.splitlines()[-1]
            for call in list(self.calls)
        )

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = all_text(body.get("messages") or [])
        reply = reply_to(body)
        self.calls.append(ModelCall("chat", text, reply))
        asked = bare_message(last_user_text(body.get("messages") or []))
        if find_mark(asked, "down") is not None:
            return web.json_response({"error": {"message": "the stub is down", "type": "server_error"}}, status=500)
        seconds = 0.0 if is_step(reply) else float(find_mark(asked, "slow") or 0)
        if body.get("stream"):
            return await _stream(request, body, reply, seconds, cut=find_mark(asked, "cut") is not None)
        await asyncio.sleep(seconds)
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
        return web.json_response({**_head(body, "chat.completion"), "choices": [choice], "usage": _usage(text, reply)})

    async def _embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.calls.append(ModelCall("embedding", "\n".join(map(str, texts)), ""))
        size = int(body.get("dimensions") or _DIMENSIONS)
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(str(text), size)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "model": body.get("model"), "data": data, "usage": usage})

    async def _transcribe(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.calls.append(ModelCall("transcription", str(len(content)), TRANSCRIPT))
        return web.json_response({"text": TRANSCRIPT})


async def _stream(
    request: web.Request, body: Mapping[str, Any], reply: str, seconds: float, *, cut: bool
) -> web.StreamResponse:
    """Send a reply word by word."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    pieces = re.findall(r"\S+\s*|\s+", reply) or [""]
    for number, piece in enumerate(pieces):
        await response.write(_chunk(body, {"role": "assistant", "content": piece}, None))
        if cut and number == 2:
            assert request.transport is not None
            request.transport.abort()
            return response
        await asyncio.sleep(seconds / len(pieces))
    await response.write(_chunk(body, {}, "stop") + b"data: [DONE]\n\n")
    return response


def _chunk(body: Mapping[str, Any], delta: Mapping[str, Any], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({**_head(body, "chat.completion.chunk"), "choices": [choice]}).encode() + b"\n\n"


def _head(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-stub", "object": kind, "created": 1_700_000_000, "model": body.get("model")}


def _usage(text: str, reply: str) -> dict[str, int]:
    read, written = len(text) // 4, max(1, len(reply) // 4)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _vector(text: str, size: int) -> list[float]:
    """Return a unit vector that depends on the text alone."""
    blocks = (hashlib.sha256(f"{number}:{text}".encode()).digest() for number in range(size // 32 + 1))
    values = [(byte - 127.5) / 127.5 for block in blocks for byte in block][:size]
    length = sum(value * value for value in values) ** 0.5
    return [round(value / length, 6) for value in values]
