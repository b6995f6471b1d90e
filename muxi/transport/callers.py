"""The line of the program that a warning of the SDK is about."""

from __future__ import annotations

import sys
from pathlib import PurePath

__all__ = ["caller_level"]

#: The folders of the SDK's packages, each with a separator at its end.
_OWN = tuple(str(PurePath(__file__).parents[2] / name / "_")[:-1] for name in ("muxi", "muxi_transports"))


def caller_level() -> int:
    """Return the ``stacklevel=`` of the nearest line outside the SDK, for the function that calls this one.

    Counted at the warning, because decorators and base classes change how many calls of the SDK lie between.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_code.co_filename.startswith(_OWN) and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    return level
