"""The formation's tuning text (MUXI.md), which is part of every turn, and the formation's proposal for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.operations.agents import LONG_WORK_TIMEOUT

if TYPE_CHECKING:
    from muxi.types import AppliedTuning, DismissedTuning, ReplacedTuning, Tuning, TuningRun

__all__ = ["TuningOperations"]


class TuningOperations:
    """Methods about tuning. All take the admin key."""

    @operation
    def get_tuning(self) -> Call[Tuning]:
        """Read the tuning text (``GET /tuning``, admin key). ``content`` is None where there is none."""
        return Call.get("/tuning", key=Key.ADMIN, returns="Tuning")

    @operation
    def replace_tuning(self, content: str) -> Call[ReplacedTuning]:
        """Replace the tuning text (``POST /tuning``, admin key).

        Args:
            content: the text, 32768 bytes at the most in UTF-8; space around it is dropped, an empty one removes it.

        Raises:
            ValidationError: it is no text or too long; nothing has been sent.
        """
        return Call.post(
            "/tuning", body={"content": content}, key=Key.ADMIN, accepts="TuningReplace", returns="ReplacedTuning"
        )

    @operation
    def get_pending_tuning(self) -> Call[Tuning]:
        """Read the proposed tuning text (``GET /tuning/pending``, admin key).

        ``content`` is None where it proposes nothing.
        """
        return Call.get("/tuning/pending", key=Key.ADMIN, returns="Tuning")

    @operation
    def apply_pending_tuning(self) -> Call[AppliedTuning]:
        """Apply the proposed tuning text (``PATCH /tuning/pending``, admin key).

        Raises:
            NotFoundError: it proposes nothing.
        """
        return Call.patch("/tuning/pending", key=Key.ADMIN, returns="AppliedTuning")

    @operation
    def dismiss_pending_tuning(self) -> Call[DismissedTuning]:
        """Dismiss the proposed tuning text (``DELETE /tuning/pending``, admin key).

        Returns:
            How many learnings went with it; an empty mapping where a repetition found that a first attempt without
            an answer had done it.

        Raises:
            NotFoundError: it proposes nothing.
        """
        return Call.delete("/tuning/pending", key=Key.ADMIN, returns="DismissedTuning")

    @operation
    def run_tuning(self) -> Call[TuningRun]:
        """Start a pass over the formation's events (``POST /tuning/run``, admin key).

        It answers when the pass is done, which asks models; the call has ten minutes, unless ``timeout`` is more.
        """
        return Call.post("/tuning/run", key=Key.ADMIN, timeout=LONG_WORK_TIMEOUT, returns="TuningRun")
