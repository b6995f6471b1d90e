"""What administrators change: secrets, the audit log, tuning."""

from __future__ import annotations

from muxi_transports.memory import EmbeddedFormation
from tests.memory.conformance.replay import Prepare, Setup, ask, both, nothing


def secret(key: str) -> Prepare:
    """There is one more secret."""
    return lambda formation: formation.state.secrets.put(key, "v1234567890")


def cleared(formation: EmbeddedFormation) -> None:
    """Somebody has cleared the audit log."""
    ask(formation, "DELETE", "/v1/audit?confirm=clear-audit-log", admin=True)


def pending(formation: EmbeddedFormation) -> None:
    """A suggestion waits."""
    formation.state.tuning.suggest("# MUXI v2\n- pending")


ANSWERS: dict[str, Prepare | Setup] = {
    "audit": nothing,
    "audit_after": cleared,
    "audit_badlimit": nothing,
    "audit_badsince": nothing,
    "audit_del": nothing,
    "audit_del_yes": nothing,
    "audit_params": nothing,
    "secret_create": nothing,
    "secret_create_dup": secret("NEW_ONE"),
    "secret_create_weird": nothing,
    "secret_del": secret("NEW_ONE"),
    "secret_del_404": nothing,
    "secret_del_inuse": nothing,
    "secret_del_weird": secret("my-key name"),
    "secret_get_key": nothing,
    "secret_put_404": nothing,
    "secret_put_422": nothing,
    "secrets2": both(secret("SPARE_TOKEN"), secret("USER_CREDENTIALS_GITHUB")),
    "secrets_reload": nothing,
    "tp_apply": pending,
    "tp_dismiss": pending,
    "tp_get": pending,
    "tp_get2": nothing,
    "tuning": nothing,
    "tuning_422": nothing,
    "tuning_apply404": nothing,
    "tuning_big": nothing,
    "tuning_dismiss404": nothing,
    "tuning_pending": nothing,
    "tuning_post": nothing,
    "tuning_run": nothing,
}
