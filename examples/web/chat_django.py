"""A chat in the browser with Django, all in one file: one client for all requests, answers streamed to the browser.

    pip install 'muxi-client[async]' django uvicorn
    uvicorn chat_django:application

Of a project of your own you need the views, their paths and the last function (in asgi.py). Run it with an ASGI
server: under WSGI each stream holds a worker. The formation comes from the environment, as for chat.py.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from muxi import AsyncEventStream, AsyncFormationClient, MuxiError, RateLimitError, ValidationError
from muxi.types import ChatEvent

#: The client of this process, while the server runs.
clients: list[AsyncFormationClient] = []


def user_of(request: HttpRequest) -> str:
    """The user who is logged in. Take it from your login, never from the body: it decides whose memories are read."""
    return "ada"


async def chat(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    body = json.loads(request.body)
    payload = {name: body[name] for name in ("message", "session_id") if body.get(name)}
    try:
        # Awaited here, so that an error of the request is a status and not an event.
        stream = await clients[0].chat_stream(payload, user_id=user_of(request))
    except MuxiError as error:
        status = 429 if isinstance(error, RateLimitError) else 422 if isinstance(error, ValidationError) else 502
        return JsonResponse({"error": error.message, "code": error.code}, status=status)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events(stream), content_type="text/event-stream", headers=headers)


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


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Path(__file__).with_name("chat.html").read_bytes())


urlpatterns = [path("", require_GET(ensure_csrf_cookie(page))), path("chat", require_POST(chat))]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["localhost", "127.0.0.1"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=secrets.token_urlsafe(),
    )
django_application = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Django's application, and the lifespan that Django has no place for: the client is made and closed here."""
    if scope["type"] != "lifespan":
        await django_application(scope, receive, send)
        return
    await receive()
    async with AsyncFormationClient() as client:
        clients.append(client)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        clients.remove(client)
    await send({"type": "lifespan.shutdown.complete"})
