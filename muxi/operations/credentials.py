"""Users' credentials for the services that agents use on their behalf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.operations.fields import plain

if TYPE_CHECKING:
    from muxi.types import Credential, CredentialCreate, CredentialList, CredentialServices, DeletedCredential

__all__ = ["CredentialOperations"]

_ONE = "/credentials/{credential_id}"


class CredentialOperations:
    """Methods about credentials. Either key will do; a user is needed but for the list of services."""

    @operation
    def list_credential_services(self) -> Call[CredentialServices]:
        """List the services that users can have credentials for (``GET /credentials/services``)."""
        return Call.get("/credentials/services", key=Key.EITHER, returns="CredentialServices")

    @operation
    def list_credentials(self, user_id: str) -> Call[CredentialList]:
        """List a user's credentials, without their secrets (``GET /credentials``)."""
        return Call.get("/credentials", user_id=user_id, user_required=True, key=Key.EITHER, returns="CredentialList")

    @operation
    def get_credential(self, credential_id: str, user_id: str) -> Call[Credential]:
        """Get one credential, without its secret (``GET /credentials/{credential_id}``).

        Raises:
            NotFoundError: the user has none of that id.
        """
        return Call.get(
            _ONE,
            params={"credential_id": credential_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="Credential",
        )

    @operation
    def create_credential(self, user_id: str, payload: CredentialCreate | Mapping[str, Any]) -> Call[Credential]:
        """Store a credential of a user (``POST /credentials``).

        Args:
            user_id: whose.
            payload: ``service`` (a name without spaces), ``credential`` (a mapping, depending on the service), and
                maybe a ``name`` to tell it from others.

        Raises:
            ValidationError: the payload does not fit; nothing has been sent.
            ServerError: always, with today's runtime, whose route is broken.
        """
        return Call.post(
            "/credentials",
            body=plain(payload),
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            accepts="CredentialCreate",
            returns="Credential",
        )

    @operation
    def delete_credential(self, credential_id: str, user_id: str) -> Call[DeletedCredential]:
        """Remove a credential (``DELETE /credentials/{credential_id}``).

        Returns:
            The id; an empty mapping where a repetition found that a first attempt without an answer had done it.

        Raises:
            NotFoundError: the user has none of that id.
            ServerError: with today's runtime where the user has two credentials of that service.
        """
        return Call.delete(
            _ONE,
            params={"credential_id": credential_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="DeletedCredential",
        )
