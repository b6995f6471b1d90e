"""The locals of frames in the tracebacks of errors: keys may be among them."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import FrameType, TracebackType

__all__ = ["clear_frames"]

#: Roots of the modules whose frames are cleared: the SDK, what it calls on its way to the network, Python's library.
_CLEARED = sys.stdlib_module_names | {
    *("muxi", "muxi_transports", "requests", "urllib3", "aiohttp", "aiohappyeyeballs", "yarl", "multidict"),
    *("marshmallow", "socks", "aiohttp_socks", "python_socks", "idna", "yaml", "pathspec"),
}


def clear_frames(error: BaseException, *, of_all: bool = False) -> None:
    """Clear the locals of frames of the SDK and its libraries in the tracebacks of an error and of what is behind it.

    Files and lines stay. Frames that still run, and those of callers and plugins, keep their locals.

    Args:
        error: the error.
        of_all: whether the frames of callers and plugins are cleared too.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        behind = todo.pop()
        if behind is None or id(behind) in seen:
            continue
        seen.add(id(behind))
        todo += [behind.__cause__, behind.__context__]
        _clear(behind.__traceback__, of_all=of_all)


def _clear(traceback: TracebackType | None, *, of_all: bool) -> None:
    while traceback is not None:
        frame: FrameType = traceback.tb_frame
        if of_all or str(frame.f_globals.get("__name__", "")).partition(".")[0] in _CLEARED:
            with suppress(RuntimeError):  # it still runs, or is suspended
                frame.clear()
        traceback = traceback.tb_next
