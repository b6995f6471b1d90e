"""Web applications for gunicorn with ``preload_app``: the sync client is made, and used, before the fork."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from muxi import AsyncFormationClient, FormationClient

PARENT = os.getpid()
formation = FormationClient(transport="urllib3")
formation.ask("in the parent", user_id="ada")


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer a chat from a worker, with the client of the parent."""
    said = formation.ask("in a worker", user_id="ada")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{said} {os.getpid() != PARENT}".encode()]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncFormationClient() as client:
        app.state.client = client
        yield


asgi = FastAPI(lifespan=lifespan)


@asgi.get("/")
async def answer() -> str:
    said = await asgi.state.client.ask("in a worker", user_id="ada")
    return f"{said} {os.getpid() != PARENT}"
