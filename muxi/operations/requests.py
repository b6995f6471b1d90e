"""Work that goes on: where it stands, waiting for it, stopping it."""

from __future__ import annotations

from muxi.call import Call, Key, Procedure, Wait, send
from muxi.endpoints import operation, procedure
from muxi.errors import TimeoutError, TurnFailed
from muxi.types import CancelledRequest, RequestList, RequestStatus

__all__ = ["RequestOperations"]

#: Seconds between two looks at a request: the first, what each is longer than the one before, and the longest.
FIRST_WAIT, GROWTH, LONGEST_WAIT = 0.25, 1.5, 5.0


class RequestOperations:
    """Methods about tracked requests. With the client key a user is needed and sees only their own."""

    @operation
    def get_requests(self, user_id: str) -> Call[RequestList]:
        """List a user's requests (``GET /requests``). Finished ones are forgotten after five minutes."""
        return Call.get("/requests", user_id=user_id, key=Key.EITHER, returns="RequestList")

    @operation
    def get_request_status(self, request_id: str, user_id: str) -> Call[RequestStatus]:
        """See where a request stands (``GET /requests/{request_id}``).

        Raises:
            NotFoundError: it is unknown, or finished for more than five minutes.
            AuthorizationError: it is another user's.
        """
        return Call.get(
            "/requests/{request_id}",
            params={"request_id": request_id},
            user_id=user_id,
            key=Key.EITHER,
            returns="RequestStatus",
        )

    @procedure
    def wait_for_request(
        self, request_id: str, user_id: str, *, timeout: float | None = 600.0
    ) -> Procedure[RequestStatus]:
        """Wait until a request has come to an end, looking at it now and then.

        Args:
            request_id: the id of a chat (``muxi.meta(answer).request_id``) or of a trigger.
            user_id: whose.
            timeout: seconds to wait at the most; None waits for as long as it takes.

        Returns:
            The status of a completed request, or of one that waits for the user (``awaiting_clarification``).

        Raises:
            TurnFailed: it failed or was cancelled; ``details`` has the status.
            NotFoundError: it is unknown, or its end was forgotten before this looked.
            TimeoutError: it is still running.
        """
        waited, pause = 0.0, FIRST_WAIT
        while True:
            status = yield from send(RequestOperations.get_request_status.call(request_id, user_id))
            state = status["status"]
            if state in ("completed", "awaiting_clarification"):
                return status
            if state in ("failed", "cancelled"):
                reason = status.get("error") or f"the request has {state}"
                raise TurnFailed(f"REQUEST_{state.upper()}", str(reason), 200, dict(status), request_id)
            if timeout is not None and waited >= timeout:
                raise TimeoutError(
                    "WAIT_TIMEOUT",
                    f"the request is still {state} after {timeout:g} s; wait longer with timeout=",
                    details=dict(status),
                    request_id=request_id,
                )
            pause = pause if timeout is None else min(pause, timeout - waited)
            yield Wait(pause)
            waited += pause
            pause = min(LONGEST_WAIT, pause * GROWTH)

    @operation
    def cancel_request(self, request_id: str, user_id: str) -> Call[CancelledRequest]:
        """Ask for a request to be stopped (``DELETE /requests/{request_id}``).

        A turn stops at its next checkpoint and may come to its end all the same; closing its stream is what
        stops it for certain.

        Raises:
            ConflictError: it has come to its end already.
            NotFoundError: it is unknown.
        """
        return Call.delete(
            "/requests/{request_id}",
            params={"request_id": request_id},
            user_id=user_id,
            key=Key.EITHER,
            returns="CancelledRequest",
        )
