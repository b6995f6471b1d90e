"""The ``TypedDict`` that the types of this package are made with.

pydantic and FastAPI take the one of ``typing`` on Python 3.12 and later only, and require ``typing_extensions`` below;
so theirs is taken where it is installed.
"""

import sys
from typing import TYPE_CHECKING

__all__ = ["TypedDict"]

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    try:
        from typing_extensions import TypedDict
    except ImportError:
        from typing import TypedDict
