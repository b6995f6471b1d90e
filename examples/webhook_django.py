"""Receive webhooks with Django, all in one file; of a project of your own, the view and its path are what you need.

    pip install muxi-client django
    MUXI_ADMIN_KEY=… python webhook_django.py runserver

Give the formation ``http://localhost:8000/webhooks/muxi`` as ``webhook_url``.
"""

from __future__ import annotations

import os
import secrets
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from muxi import webhook

guard = webhook.ReplayGuard()


def receive(request: HttpRequest) -> HttpResponse:
    signature = request.headers.get(webhook.SIGNATURE_HEADER)
    try:
        event = webhook.receive(request.body, signature, os.environ["MUXI_ADMIN_KEY"], guard=guard)
    except webhook.WebhookVerificationError as error:
        return JsonResponse({"detail": error.message}, status=401)
    handle(event)
    return JsonResponse({"received": event.request_id})


def handle(event: webhook.WebhookEvent) -> None:
    """What is to be done. Be quick, or leave it to a queue: the formation waits, and sends again after a while."""
    if isinstance(event, webhook.Completion) and not event.handed_over:
        print(f"{event.request_id}: {event.error.message if event.error else event.text}")
    elif event.clarification:
        print(f"{event.request_id} asks: {event.clarification.question}")


# A formation has no CSRF token; the signature is what protects this path.
urlpatterns = [path("webhooks/muxi", csrf_exempt(require_POST(receive)))]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["localhost", "127.0.0.1"], ROOT_URLCONF=__name__, SECRET_KEY=secrets.token_urlsafe()
    )
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
