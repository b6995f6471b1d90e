"""``/v1/secrets``: names and masked values, and changes of them."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.routes.audit import record_audit
from muxi_transports.memory.formation.validation import Field, record, text

__all__ = ["ROUTES"]


def list_secrets(incoming: Incoming) -> Success:
    """All secrets, masked."""
    secrets = incoming.formation.state.secrets.masked()
    return Success("secret_list", "secret.list", {"secrets": secrets, "count": len(secrets)})


def create_secret(incoming: Incoming) -> Success:
    """Keep a new secret."""
    key = str(incoming.body.get("key"))
    if key in incoming.formation.state.secrets:
        raise ApiError(409, "SECRET_EXISTS", f"Secret '{key}' already exists")
    incoming.formation.state.secrets.put(key, str(incoming.body.get("value")))
    return _change_result(incoming, key, "created", status=201)


def update_secret(incoming: Incoming) -> Success:
    """Change a secret that there is."""
    key = _find_key(incoming)
    incoming.formation.state.secrets.put(key, str(incoming.body.get("value")))
    return _change_result(incoming, key, "updated")


def delete_secret(incoming: Incoming) -> Success:
    """Forget a secret that nothing refers to."""
    key = _find_key(incoming)
    formation = incoming.formation
    if formation.state.secrets.is_one_of(key, formation.definition.secrets_in_use()):
        message = f"Cannot delete secret '{key}' because it is currently in use by the formation configuration"
        raise ApiError(409, "SECRET_IN_USE", message)
    formation.state.secrets.remove(key)
    return _change_result(incoming, key, "deleted")


def reload_secrets(incoming: Incoming) -> Success:
    """Reload the file of secrets."""
    secrets = incoming.formation.state.secrets
    reloaded = secrets.reload()
    data = {
        "message": "Secrets reloaded successfully using add-or-override merge semantics",
        "added": list(reloaded.added),
        "overwritten": list(reloaded.overwritten),
        "preserved": list(reloaded.preserved),
        "count": len(secrets),
    }
    result = Success("secret", "secret.reloaded", data)
    return record_audit(incoming, "reloaded", "secret", incoming.formation.formation_id, result)


def _find_key(incoming: Incoming) -> str:
    key = incoming.params["key"]
    if key not in incoming.formation.state.secrets:
        raise ApiError(404, "SECRET_NOT_FOUND", f"Secret '{key}' not found")
    return key


def _change_result(incoming: Incoming, key: str, what: str, *, status: int = 200) -> Success:
    data = {"message": f"Secret '{key}' {what} successfully"}
    return record_audit(incoming, what, "secret", key, Success("secret", f"secret.{what}", data, status))


ROUTES = (
    FormationRoute("GET", "/v1/secrets", list_secrets, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/secrets",
        create_secret,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(Field("key", text, required=True), Field("value", text, required=True)),
    ),
    FormationRoute("POST", "/v1/secrets/reload", reload_secrets, Level.ADMIN, UserRule.OPTIONAL),
    FormationRoute(
        "PUT",
        "/v1/secrets/{key}",
        update_secret,
        Level.ADMIN,
        UserRule.OPTIONAL,
        body=record(Field("value", text, required=True)),
    ),
    FormationRoute("DELETE", "/v1/secrets/{key}", delete_secret, Level.ADMIN, UserRule.OPTIONAL),
)
