"""Requests in progress: list, inspect, await and cancel them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Key, Procedure, Wait, send
from muxi.client.endpoints import operation, procedure
from muxi.errors import NotFoundError, ResultForgotten, TimeoutError, TurnFailed
from muxi.operations.waiting import FIRST_WAIT, GROWTH, LONGEST_WAIT, NOT_FOUND_YET, WAIT_TIMEOUT, check_timeout

if TYPE_CHECKING:
    from muxi.types import CancelledRequest, RequestList, RequestStatus

__all__ = ["RequestOperations"]


class RequestOperations:
    """Methods about tracked requests. With the client key a user is needed and sees only their own."""

    @operation
    def get_requests(self, user_id: str) -> Call[RequestList]:
        """List a user's requests (``GET /requests``). Finished ones are forgotten after five minutes."""
        return Call.get("/requests", user_id=user_id, key=Key.EITHER, returns="RequestList")

    @operation
    def get_request_status(self, request_id: str, user_id: str) -> Call[RequestStatus]:
        """Get the state of a request (``GET /requests/{request_id}``).

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
        self, request_id: str, user_id: str, *, timeout: float | None = WAIT_TIMEOUT
    ) -> Procedure[RequestStatus]:
        """Wait until a request has ended, polling its state.

        It is looked at after 0.25 s and then less and less often, every 5 s in the end. Interrupting the wait
        (``KeyboardInterrupt``, a cancelled task) leaves the request alone; :meth:`cancel_request` stops it.

        Args:
            request_id: the id of a chat (``muxi.meta(answer).request_id``, or ``muxi.pending(answer).request_id``
                where it goes on in the background) or of a trigger.
            user_id: whose.
            timeout: seconds to wait at the most; None waits for as long as it takes. The formation itself gives
                up a request after 600 s.

        Returns:
            The status of a completed request, with its ``result``, or of one that waits for the user
            (``awaiting_clarification``).

        Raises:
            TurnFailed: it failed or was cancelled (``REQUEST_FAILED``, ``REQUEST_CANCELLED``); ``details`` has the
                status.
            ResultForgotten: it was running when last seen and is not known any more.
            NotFoundError: it was not found for five seconds: unknown, or finished for more than five minutes.
            AuthorizationError: it is another user's.
            TimeoutError: it is still running; ``details`` has the status.
            ValidationError: ``timeout`` is no number of seconds; nothing has been sent.
        """
        check_timeout(timeout)
        waited, pause = 0.0, FIRST_WAIT
        seen: RequestStatus | None = None
        while True:
            try:
                seen = yield from send(RequestOperations.get_request_status.call(request_id, user_id))
            except NotFoundError as error:
                # A 404 of the proxy is about the formation, not about the request.
                if error.code != "REQUEST_NOT_FOUND":
                    raise
                if seen is not None:
                    raise _is_forgotten(seen, request_id) from error
                # The runtime knows a trigger's request only some tenths of a second after it has answered.
                if waited >= NOT_FOUND_YET or (timeout is not None and waited >= timeout):
                    raise
                waited = yield Wait(FIRST_WAIT if timeout is None else min(FIRST_WAIT, timeout - waited))
                continue
            state = seen["status"]
            if state in ("completed", "awaiting_clarification"):
                return seen
            if state in ("failed", "cancelled"):
                reason = seen.get("error") or f"the request has {'failed' if state == 'failed' else 'been cancelled'}"
                raise TurnFailed(f"REQUEST_{state.upper()}", str(reason), 200, dict(seen), request_id)
            if timeout is not None and waited >= timeout:
                raise TimeoutError(
                    "WAIT_TIMEOUT",
                    f"the request is still {state} after {timeout:g} s; wait longer with timeout=",
                    details=dict(seen),
                    request_id=request_id,
                )
            waited = yield Wait(pause if timeout is None else min(pause, timeout - waited))
            pause = min(LONGEST_WAIT, pause * GROWTH)

    @operation
    def cancel_request(self, request_id: str, user_id: str) -> Call[CancelledRequest]:
        """Cancel a request (``DELETE /requests/{request_id}``).

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


def _is_forgotten(seen: RequestStatus, request_id: str) -> ResultForgotten:
    return ResultForgotten(
        "RESULT_FORGOTTEN",
        f"the request was {seen['status']} when last seen, and the formation does not know it any more: its result is "
        "lost (results are kept for five minutes, and not over a restart)",
        404,
        dict(seen),
        request_id,
    )
