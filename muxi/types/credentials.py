"""Users' credentials for other services. Times are ISO 8601 in UTC without a zone."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = [
    "Credential",
    "CredentialCreate",
    "CredentialList",
    "CredentialService",
    "CredentialServices",
    "DeletedCredential",
]


class CredentialService(TypedDict):
    """A service that users can have credentials for."""

    service: str
    server_id: str
    description: str


class CredentialServices(TypedDict):
    """The services that users can store credentials for."""

    services: list[CredentialService]
    count: int


class _CredentialAlways(TypedDict):
    credential_id: str
    service: str
    name: str | None
    #: A few characters; of the stored, encrypted form.
    credential_preview: str
    created_at: str


class Credential(_CredentialAlways, total=False):
    """One credential, without its secret."""

    updated_at: str


class CredentialList(TypedDict):
    """A user's credentials."""

    credentials: list[Credential]
    count: int


class _CredentialCreateRequired(TypedDict):
    service: str
    credential: dict[str, Any]


class CredentialCreate(_CredentialCreateRequired, total=False):
    """The body of ``POST /credentials``; what is in ``credential`` depends on the service."""

    name: str


class DeletedCredential(TypedDict):
    """The confirmation that a credential was deleted."""

    credential_id: str
    deleted: bool
