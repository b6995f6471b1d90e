"""``/v1/credentials``: what users have given to reach services in their name."""

from __future__ import annotations

from muxi_transports.memory.formation.access import UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.credentials import StoredCredential
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, mapping, record, text

__all__ = ["ROUTES"]


def list_services(incoming: Incoming) -> Success:
    """The services that MCP servers want a user's credentials for."""
    services = [
        {"service": service, "server_id": server.id, "description": "MCP server requiring user authentication"}
        for server in incoming.formation.definition.mcp_servers
        for service in server.services
    ]
    return Success("credential_list", "credentials.listed", {"services": services, "count": len(services)})


def list_credentials(incoming: Incoming) -> Success:
    """A user's credentials, oldest first."""
    credentials = [one.on_wire() for one in incoming.formation.state.credentials.of(incoming.owner)]
    return Success("credential_list", "credentials.listed", {"credentials": credentials, "count": len(credentials)})


def create_credential(incoming: Incoming) -> Success:
    """Keep a credential."""
    service = str(incoming.body.get("service"))
    if " " in service:
        raise ApiError(400, "VALIDATION_ERROR", "Service name cannot contain spaces")
    formation = incoming.formation
    if formation.imitates(Defect.CREDENTIALS_CANNOT_BE_STORED):
        reason = "'EncryptedCredentialResolver' object has no attribute 'store'"
        raise ApiError(500, "INTERNAL_ERROR", f"Failed to create credential: {reason}")
    value = incoming.body.mapping("credential") or {}
    kept = formation.state.credentials.add(incoming.owner, service, incoming.body.text("name"), value)
    data = {
        "credential_id": kept.id,
        "service": kept.service,
        "name": kept.name,
        "credential_preview": kept.preview,
        "created_at": iso(kept.created_at),
    }
    return Success("credential", "credentials.created", data, 201)


def get_credential(incoming: Incoming) -> Success:
    """One of the user's credentials; another user's is not found."""
    return Success("credential", "credentials.retrieved", _find_credential(incoming).on_wire())


def delete_credential(incoming: Incoming) -> Success:
    """Forget one of the user's credentials."""
    credential = _find_credential(incoming)
    formation = incoming.formation
    same = [one for one in formation.state.credentials.of(incoming.owner) if one.service == credential.service]
    if len(same) > 1 and formation.imitates(Defect.TWO_CREDENTIALS_CANNOT_BE_DELETED):
        reason = "Multiple rows were found when one or none was required"
        raise ApiError(500, "INTERNAL_ERROR", f"Failed to delete credential: {reason}")
    formation.state.credentials.remove(incoming.owner, credential)
    return Success("credential", "credentials.deleted", {"credential_id": credential.id, "deleted": True})


def _find_credential(incoming: Incoming) -> StoredCredential:
    credential_id = incoming.params["credential_id"]
    credential = incoming.formation.state.credentials.get(incoming.owner, credential_id)
    if credential is None:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Credential not found: {credential_id}")
    return credential


ROUTES = (
    FormationRoute("GET", "/v1/credentials/services", list_services, user=UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/credentials", list_credentials),
    FormationRoute(
        "POST",
        "/v1/credentials",
        create_credential,
        body=record(
            Field("service", text, required=True), Field("name", text), Field("credential", mapping, required=True)
        ),
    ),
    FormationRoute("GET", "/v1/credentials/{credential_id}", get_credential),
    FormationRoute("DELETE", "/v1/credentials/{credential_id}", delete_credential),
)
