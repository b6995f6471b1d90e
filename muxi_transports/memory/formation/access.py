"""The keys of a formation, and the user of a request."""

from __future__ import annotations

import hmac
import re
from enum import Enum

from muxi.errors import ConfigurationError
from muxi.transport import Headers
from muxi_transports.memory.formation.envelope import ApiError

__all__ = ["Keys", "Level", "UserRule", "header_user", "is_email", "normal_user", "require_user"]

_ADMIN = "X-Muxi-Admin-Key"
_CLIENT = "X-Muxi-Client-Key"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Level(Enum):
    """The key a route asks for."""

    NONE = "none"
    ADMIN = "admin"
    CLIENT = "client"
    EITHER = "either"


class UserRule(Enum):
    """The requirement of a route for ``X-Muxi-User-ID``."""

    OPTIONAL = "optional"
    #: With the client key; an admin's request needs no user.
    FOR_CLIENT = "for the client key"
    ALWAYS = "always"


class Keys:
    """The keys of a formation.

    Args:
        client: the client key; None accepts any that is not empty.
        admin: the admin key, likewise.

    Raises:
        ConfigurationError: a key is empty.
    """

    def __init__(self, client: str | None = None, admin: str | None = None) -> None:
        for name, key in (("client_key", client), ("admin_key", admin)):
            if key is not None and not key.strip():
                raise ConfigurationError(f"{name}= is empty; None accepts any key")
        self._client = client
        self._admin = admin

    def as_secrets(self) -> dict[str, str]:
        """The keys as the formation's secrets have them; a name stands in for one that may be anything."""
        return {"ADMIN_KEY": self._admin or "fma_any_key_will_do", "CLIENT_KEY": self._client or "fmc_any_key_will_do"}

    @property
    def given(self) -> dict[str, str]:
        """The keys that are required, by the names of a client's arguments."""
        keys = {"client_key": self._client, "admin_key": self._admin}
        return {name: key for name, key in keys.items() if key is not None}

    @property
    def admin(self) -> str | None:
        """The admin key, which signs webhooks; None where any will do."""
        return self._admin

    def check(self, level: Level, headers: Headers) -> bool:
        """Let a request in.

        Returns:
            Whether it is the admin's.

        Raises:
            ApiError: 401, with the wire's texts. On routes that take either key the admin's is looked at first.
        """
        admin, client = headers.get(_ADMIN), headers.get(_CLIENT)
        if level is Level.ADMIN or (level is Level.EITHER and admin):
            _compare("admin", _ADMIN, admin, self._admin)
            return True
        if level is Level.EITHER and not client:
            raise _auth_error(f"A valid API key is required. Provide either '{_ADMIN}' or '{_CLIENT}' header.")
        if level is not Level.NONE:
            _compare("client", _CLIENT, client, self._client)
        return False


def _compare(kind: str, header: str, given: str | None, wanted: str | None) -> None:
    if not given:
        raise _auth_error(f"A valid {kind} API key is required. Please provide the '{header}' header.")
    if wanted is not None and not hmac.compare_digest(_raw(given), _raw(wanted)):
        raise _auth_error(f"Invalid {kind} API key. Please check your '{header}' header value.")


def _auth_error(message: str) -> ApiError:
    return ApiError(401, "UNAUTHORIZED", message)


def header_user(headers: Headers) -> str | None:
    """The user that the header names, as the runtime reads it.

    Header values are sent as UTF-8 and read as latin-1, so ``Grüße`` becomes mojibake, which still
    names one user.
    """
    value = headers.get("X-Muxi-User-ID")
    return None if value is None else normal_user(_raw(value).decode("latin-1"))


def normal_user(user_id: str | None) -> str | None:
    """A user id as the runtime keeps it: e-mail addresses in lower case, None for white space."""
    if user_id is None or not user_id.strip():
        return None
    return user_id.lower() if is_email(user_id) else user_id


def is_email(user_id: str) -> bool:
    """True if a user id looks like an e-mail address."""
    return _EMAIL.fullmatch(user_id) is not None


def require_user(rule: UserRule, user: str | None, *, is_admin: bool) -> None:
    """Refuse a request without a user on a route that requires one.

    Raises:
        ApiError: 400 ``INVALID_REQUEST``.
    """
    if user is not None or rule is UserRule.OPTIONAL or (rule is UserRule.FOR_CLIENT and is_admin):
        return
    condition = " when using client API key" if rule is UserRule.FOR_CLIENT else ""
    raise ApiError(400, "INVALID_REQUEST", f"X-Muxi-User-ID header is required{condition}")


def _raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
