"""``/v1/users/{user_id}/channels`` and ``/v1/notifications``: how users are reached, and telling them something."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from muxi_transports.memory.formation.access import Level, UserRule, normal_user
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.channels import WEBHOOK, Notice
from muxi_transports.memory.formation.validation import Field, listing, mapping, record, text

__all__ = ["ROUTES"]


def get_channels(incoming: Incoming) -> Success:
    """List the channels and preferences of a user."""
    _declared_channels(incoming)
    user_id = incoming.params["user_id"]
    preferences = incoming.formation.state.channels.of(user_id)
    return Success("user_channels", "user.channels.retrieved", preferences.on_wire(user_id))


def update_channels(incoming: Incoming) -> Success:
    """Change how a user is reached: only what is given; an empty text clears, an empty object removes a channel."""
    declared = _declared_channels(incoming)
    user_id, body = incoming.params["user_id"], incoming.body
    preferred, timezone = body.get("preferred_channel"), body.get("timezone")
    addresses = body.mapping("channels") or {}
    if preferred and preferred != WEBHOOK and preferred not in declared:
        message = f"Unknown channel '{preferred}'. Declared channels: {declared} (or '{WEBHOOK}')"
        raise ApiError(400, "INVALID_REQUEST", message)
    if isinstance(timezone, str) and timezone and not _is_zone(timezone):
        message = f"Unknown timezone '{timezone}' (use an IANA name like 'Europe/London')"
        raise ApiError(400, "INVALID_REQUEST", message)
    preferences = incoming.formation.state.channels.change(user_id)
    if isinstance(preferred, str):
        preferences.preferred = preferred or None
    if isinstance(timezone, str):
        preferences.timezone = timezone or None
    for name, address in addresses.items():
        if isinstance(address, dict) and address:
            preferences.channels[name] = address
        else:
            preferences.channels.pop(name, None)
    return Success("user_channels", "user.channels.updated", preferences.on_wire(user_id))


def notify(incoming: Incoming) -> Success:
    """Send a notification; 502 in a successful envelope if no channel delivered it (the wire)."""
    declared = _declared_channels(incoming)
    formation, body = incoming.formation, incoming.body
    message = str(body.get("message"))
    if not message.strip():
        raise ApiError(400, "INVALID_REQUEST", "'message' must be a non-empty string")
    user_id = normal_user(body.text("user_id")) or "0"
    named = body.get("channels")
    wanted = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    proactive = formation.definition.proactive or {}
    default = str(proactive.get("default_channel") or WEBHOOK)
    channels = formation.state.channels
    chosen = channels.chosen(user_id, wanted, declared, default)
    request_id = formation.ids.new("req_")
    addresses = channels.of(user_id).channels
    webhook_url = proactive.get("webhook_url") or formation.webhooks.default_url
    delivered: list[str] = []
    failed: list[str] = []
    for name in chosen:
        notice = Notice(request_id, user_id, message, name, addresses.get(name, {}))
        if not channels.deliver(notice):
            failed.append(name)
            continue
        delivered.append(name)
        if name == WEBHOOK and webhook_url:
            signed = not formation.imitates(Defect.UNSIGNED_NOTIFICATIONS)
            formation.webhooks.notify(str(webhook_url), request_id, user_id, message, signed=signed)
    data = {"request_id": request_id, "channels": chosen, "delivered": delivered, "failed": failed}
    return Success("notification", "notification.sent", data, 200 if delivered else 502, request_id)


def _declared_channels(incoming: Incoming) -> list[str]:
    """The channels of the formation."""
    proactive = incoming.formation.definition.proactive
    if proactive is None:
        message = "Proactive notifications are not configured for this formation (missing 'proactive' block)"
        raise ApiError(503, "SERVICE_UNAVAILABLE", message)
    declared = proactive.get("channels")
    return [str(name) for name in declared] if isinstance(declared, dict | list) else []


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


ROUTES = (
    FormationRoute("GET", "/v1/users/{user_id}/channels", get_channels, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute(
        "PUT",
        "/v1/users/{user_id}/channels",
        update_channels,
        Level.CLIENT,
        UserRule.OPTIONAL,
        body=record(Field("preferred_channel", text), Field("channels", mapping), Field("timezone", text)),
    ),
    FormationRoute(
        "POST",
        "/v1/notifications",
        notify,
        Level.CLIENT,
        UserRule.OPTIONAL,
        body=record(
            Field("user_id", text, required=True),
            Field("message", text, required=True),
            Field("channels", listing(text)),
        ),
    ),
)
