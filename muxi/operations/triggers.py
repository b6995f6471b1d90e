"""Triggers, by which events start work of a formation, and standard operating procedures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.operations.fields import plain

if TYPE_CHECKING:
    from muxi.types import FiredTrigger, Sop, SopList, Trigger, TriggerList

__all__ = ["TriggerOperations"]

#: The fields of the body. Data that has ``data`` and nothing but these is taken for one that is wrapped already.
_WRAPPER = frozenset({"data", "session_id", "use_async"})


class TriggerOperations:
    """Methods about triggers and procedures. All take the client key."""

    @operation
    def get_triggers(self) -> Call[TriggerList]:
        """List the names of all triggers (``GET /triggers``)."""
        return Call.get("/triggers", key=Key.CLIENT, returns="TriggerList")

    @operation
    def get_trigger(self, name: str) -> Call[Trigger]:
        """Get a trigger's template and the fields it takes (``GET /triggers/{trigger_name}``).

        Raises:
            ValidationError: the name has other characters than letters, digits, hyphens and underscores.
            NotFoundError: there is none of that name.
        """
        return Call.get("/triggers/{trigger_name}", params={"trigger_name": name}, key=Key.CLIENT, returns="Trigger")

    @operation
    def fire_trigger(
        self,
        name: str,
        data: Mapping[str, Any],
        *,
        async_mode: bool | None = False,
        user_id: str = "",
        session_id: str | None = None,
    ) -> Call[FiredTrigger]:
        """Fire a trigger (``POST /triggers/{trigger_name}``).

        A repetition after a lost connection fires it once only (idempotency key).

        Args:
            name: which trigger.
            data: what the template is filled with; bare, or wrapped as the wire has it (``{"data": {…}}``).
            async_mode: go on in the background. If None it is left to the runtime, which does.
            user_id: the user; the formation's user ``0`` if empty.
            session_id: the session it belongs to.

        Returns:
            ``content`` is the answer. In the background there is none yet: give ``fired["request_id"]`` to
            :meth:`wait_for_request`, with the same user.

            With today's runtime a trigger without ``webhook:`` in its template never runs in the background of a
            formation that streams its responses: it fails after ten minutes.

        Raises:
            ValidationError: the data is no mapping, and nothing has been sent; or it lacks what the template takes.
            NotFoundError: there is none of that name.
        """
        fields: Any = plain(data)
        if not (isinstance(fields, dict) and isinstance(fields.get("data"), dict) and fields.keys() <= _WRAPPER):
            fields = {"data": fields}
        if async_mode is not None:
            fields.setdefault("use_async", async_mode)
        if session_id is not None:
            fields["session_id"] = session_id
        return Call.post(
            "/triggers/{trigger_name}",
            params={"trigger_name": name},
            body=fields,
            user_id=user_id or None,
            key=Key.CLIENT,
            accepts="TriggerRequest",
            returns="FiredTrigger",
        )

    @operation
    def get_sops(self) -> Call[SopList]:
        """List the standard operating procedures (``GET /sops``)."""
        return Call.get("/sops", key=Key.CLIENT, returns="SopList")

    @operation
    def get_sop(self, name: str) -> Call[Sop]:
        """Read one standard operating procedure (``GET /sops/{sop_name}``).

        Raises:
            ValidationError: the name has other characters than letters, digits, hyphens and underscores.
            NotFoundError: there is none of that name.
        """
        return Call.get("/sops/{sop_name}", params={"sop_name": name}, key=Key.CLIENT, returns="Sop")
