"""``/v1/triggers``: events from outside that become messages to agents."""

from __future__ import annotations

import re
from collections.abc import Generator

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.dialogue import Dialogue, begin
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.idempotency import run_once
from muxi_transports.memory.formation.replies import send_webhook
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.triggers import BadFrontMatter, MissingData
from muxi_transports.memory.formation.validation import Field, flag, mapping, record, text
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

#: Seconds for which a fresh request is unknown, where that defect is imitated; the recorded ones were 0.1 to 0.5.
_UNKNOWN_SECONDS = 0.5
_BODY = record(Field("data", mapping, required=True), Field("session_id", text), Field("use_async", flag, default=True))


def list_triggers(incoming: Incoming) -> Success:
    """The names of all triggers, sorted."""
    names = sorted(incoming.formation.triggers)
    data = {"formation_id": incoming.formation.formation_id, "triggers": names, "count": len(names)}
    return Success("list", "list.retrieved", data)


def get_trigger(incoming: Incoming) -> Success:
    """One template and the data it takes."""
    name = _name(incoming)
    trigger = incoming.formation.triggers.get(name)
    if trigger is None:
        raise ApiError(404, "TRIGGER_NOT_FOUND", f"Trigger '{name}' not found")
    data = {"name": name, "content": trigger.content, "data_fields": trigger.fields or None}
    return Success("trigger", "trigger.retrieved", data)


def fire(incoming: Incoming) -> Generator[Pause, None, Answer]:
    """Fill the template and have an agent answer, in the background unless ``use_async`` is false."""
    return run_once(incoming, lambda key: _fire(incoming, key))


def _fire(incoming: Incoming, key: str | None) -> Generator[Pause, None, Answer]:
    formation = incoming.formation
    message, webhook = _message(incoming)
    dialogue = begin(
        formation,
        message,
        user_id=incoming.user or "0",
        session_id=incoming.body.text("session_id"),
        trigger=incoming.params["trigger_name"],
    )
    request_id = dialogue.turn.request_id
    if incoming.body.get("use_async") is not False:
        if formation.imitates(Defect.FRESH_REQUESTS_ARE_UNKNOWN):
            dialogue.tracked.visible_at = formation.clock.time() + _UNKNOWN_SECONDS
        if webhook or not formation.imitates(Defect.ASYNC_TRIGGERS_WITHOUT_WEBHOOK_NEVER_RUN):
            formation.work(_in_background(dialogue, webhook))
        processing = Success("request", "request.processing", {"status": "processing"})
        return formation.wrap(processing, request_id=request_id, idempotency_key=key)
    outcome = yield from dialogue.unheard(dialogue.reply())
    if outcome.kind == "error":
        raise ApiError(500, "INTERNAL_ERROR", outcome.content)
    completed = Success("request", "request.completed", {"status": "completed", "content": outcome.content})
    return formation.wrap(completed, request_id=request_id, idempotency_key=key)


def _in_background(dialogue: Dialogue, webhook: str | None) -> Generator[Pause, None, None]:
    clock = dialogue.formation.clock
    started = clock.monotonic()
    outcome = yield from dialogue.in_background(dialogue.reply())
    # A trigger without a webhook of its own sends none, whatever the formation's is (the wire).
    if webhook is not None:
        send_webhook(dialogue, outcome, webhook, seconds=clock.monotonic() - started)


def _message(incoming: Incoming) -> tuple[str, str | None]:
    """The message for the agent, and the URL for the result."""
    name = _name(incoming)
    trigger = incoming.formation.triggers.get(name)
    if trigger is None:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Trigger template '{name}' not found at: /srv/formation")
    try:
        routing = trigger.routing()
    except BadFrontMatter as error:
        raise ApiError(400, "INVALID_REQUEST", f"Invalid frontmatter in trigger '{name}': {error}") from None
    if problem := routing.problem:
        raise ApiError(400, "INVALID_REQUEST", f"Invalid transformer for trigger '{name}': {problem}")
    try:
        return trigger.render(incoming.body.mapping("data") or {}), routing.webhook
    except MissingData as error:
        raise ApiError(400, "INVALID_REQUEST", f"Template rendering failed: {error}") from None


def _name(incoming: Incoming) -> str:
    name = incoming.params["trigger_name"]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        message = f"Invalid trigger name '{name}': must contain only letters, numbers, hyphens, and underscores"
        raise ApiError(400, "INVALID_REQUEST", message)
    return name


ROUTES = (
    FormationRoute("GET", "/v1/triggers", list_triggers, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/triggers/{trigger_name}", get_trigger, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("POST", "/v1/triggers/{trigger_name}", fire, Level.CLIENT, UserRule.OPTIONAL, body=_BODY),
)
