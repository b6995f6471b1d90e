"""The formation's secrets, whose values can be set and not read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from muxi.call import Call, Key, Procedure, send
from muxi.client.endpoints import operation, procedure
from muxi.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from muxi.types import MaskedSecret, ReloadedSecrets, SecretChanged, SecretList

__all__ = ["SecretOperations"]

#: How often a secret that others create and delete meanwhile is tried to be set.
ROUNDS = 3


class SecretOperations:
    """Methods about secrets. All take the admin key.

    Names are stored in capitals with underscores (``my-key name`` as ``MY_KEY_NAME``), and any spelling finds them.
    """

    @operation
    def get_secrets(self) -> Call[SecretList]:
        """List the secrets, their values masked (``GET /secrets``, admin key)."""
        return Call.get("/secrets", key=Key.ADMIN, returns="SecretList")

    @procedure
    def get_secret(self, key: str) -> Procedure[MaskedSecret]:
        """Get one secret, its value masked, from the list of all; there is no route for one.

        Raises:
            NotFoundError: there is none of that name.
        """
        name = re.sub(r"\W+", "_", key.strip()).upper()
        secrets = (yield from send(SecretOperations.get_secrets.call()))["secrets"]
        if name not in secrets:
            raise NotFoundError("SECRET_NOT_FOUND", f"Secret '{key}' not found")
        return {"key": name, "value": secrets[name]}

    @procedure
    def set_secret(self, key: str, value: str) -> Procedure[SecretChanged]:
        """Create or update a secret (``PUT /secrets/{key}``, else ``POST /secrets``).

        Args:
            key: its name.
            value: what it is to be.

        Raises:
            ValidationError: one of the two is no text; nothing has been sent.
            ConflictError: others create and delete it at the same time.
        """
        for left in reversed(range(ROUNDS)):
            try:
                return (yield from send(SecretOperations.update_secret.call(key, value)))
            except NotFoundError as error:
                if error.code != "SECRET_NOT_FOUND":
                    raise
            try:
                return (yield from send(SecretOperations.create_secret.call(key, value)))
            except ConflictError as error:
                if error.code != "SECRET_EXISTS" or not left:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    @operation
    def create_secret(self, key: str, value: str) -> Call[SecretChanged]:
        """Add a secret (``POST /secrets``, admin key).

        Raises:
            ConflictError: there is one of that name.
        """
        return Call.post(
            "/secrets",
            body={"key": key, "value": value},
            key=Key.ADMIN,
            accepts="SecretCreate",
            returns="SecretChanged",
        )

    @operation
    def update_secret(self, key: str, value: str) -> Call[SecretChanged]:
        """Update an existing secret (``PUT /secrets/{key}``, admin key).

        Raises:
            NotFoundError: there is none of that name; :meth:`set_secret` adds it then.
        """
        return Call.put(
            "/secrets/{key}",
            params={"key": key},
            body={"value": value},
            key=Key.ADMIN,
            accepts="SecretUpdate",
            returns="SecretChanged",
        )

    @operation
    def delete_secret(self, key: str) -> Call[SecretChanged]:
        """Remove a secret (``DELETE /secrets/{key}``, admin key).

        Returns:
            A message; an empty mapping where a repetition found that a first attempt without an answer had done it.

        Raises:
            NotFoundError: there is none of that name.
            ConflictError: the formation file uses it.
        """
        return Call.delete("/secrets/{key}", params={"key": key}, key=Key.ADMIN, returns="SecretChanged")

    @operation
    def reload_secrets(self) -> Call[ReloadedSecrets]:
        """Reload the formation's secrets (``POST /secrets/reload``, admin key).

        New values are added and changed ones taken over; none is removed.
        """
        return Call.post("/secrets/reload", key=Key.ADMIN, returns="ReloadedSecrets")
