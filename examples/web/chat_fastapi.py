"""A chat in the browser with FastAPI: one client for all requests, answers streamed as server-sent events.

    pip install 'muxi-client[async]' fastapi uvicorn
    uvicorn chat_fastapi:app

The formation comes from the environment, as for chat.py; MUXI_TRANSPORT=memory tries it without one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel

from muxi import AsyncEventStream, AsyncFormationClient, MuxiError, RateLimitError, ValidationError
from muxi.types import ChatEvent


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One client for each worker process: it keeps connections, and is made in the event loop that uses it.
    async with AsyncFormationClient() as formation:
        app.state.formation = formation
        yield


app = FastAPI(lifespan=lifespan)


class Message(BaseModel):
    message: str
    session_id: str | None = None


def user_of(request: Request) -> str:
    """The user who is logged in. Take it from your login, never from the body: it decides whose memories are read."""
    return "ada"


@app.post("/chat")
async def chat(message: Message, request: Request) -> StreamingResponse:
    formation: AsyncFormationClient = request.app.state.formation
    # Awaited here, so that an error of the request is a status and not an event.
    stream = await formation.chat_stream(message.model_dump(exclude_none=True), user_id=user_of(request))
    return StreamingResponse(
        events(stream), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def events(stream: AsyncEventStream[ChatEvent]) -> AsyncIterator[str]:
    # When the browser goes away this generator is cancelled; leaving the block cancels the turn.
    async with stream:
        try:
            async for piece in stream.text():
                yield event("text", text=piece)
            message = await stream.result()
            yield event("done", session_id=message["metadata"].get("session_id"))
        except MuxiError as error:
            yield event("error", error=error.message, code=error.code)


def event(name: str, **data: str | None) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


@app.exception_handler(MuxiError)
async def refuse(request: Request, error: MuxiError) -> JSONResponse:
    status = 429 if isinstance(error, RateLimitError) else 422 if isinstance(error, ValidationError) else 502
    return JSONResponse({"error": error.message, "code": error.code}, status)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).with_name("chat.html"))
