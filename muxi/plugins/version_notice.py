"""A notice on stderr of a newer SDK, at most twice a day on each machine."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from typing import Any

from muxi.clock import Clock, SystemClock
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.transport import AsyncResponse, BufferedResponse, Response
from muxi.version import __version__

__all__ = ["VersionNotice", "is_newer"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

_HEADER = "x-muxi-sdk-latest"

#: ``0`` switches the notice off; any other value switches it on where :data:`_CI` is set, too.
_SWITCH = "MUXI_SDK_VERSION_NOTIFICATION"
_CI = "CI"

#: Seconds between two notices on one machine.
_INTERVAL = 12 * 3600.0

#: The key of Python in the file, which the SDKs for other languages share.
_LANGUAGE = "python"

# The version scheme of Python's package index: epoch, release, pre, post, dev, local. Compiled at its first
# use, which most programs never reach.
_VERSION = (
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<kind>a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<pre>\d*))?"
    r"(?P<post>-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"(?P<dev>[-_.]?dev[-_.]?\d*)?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?"
)
_KINDS = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}

_Version = tuple[int, tuple[int, ...], tuple[int, int], int, int]


class VersionNotice:
    """``muxi.version_notice``: prints to stderr that ``X-Muxi-Sdk-Latest`` names a newer version than ``current``.

    The header names a version of the platform's official SDK, which is another distribution than ``muxi-client``; so
    clients do not have this plugin unless it is given to them.

    The notice is printed once in a process, and every twelve hours on a machine: ``~/.muxi/sdk-versions.json``, which
    the platform's other SDKs use too, keeps the time of the last one. ``MUXI_SDK_VERSION_NOTIFICATION=0`` switches it
    off; so does ``CI`` (set by build servers), unless that variable is ``1``. Errors in reading or writing the file
    are ignored.

    Args:
        path: another file to keep that time in.
        current: version to compare with.
        clock: clock that measures the twelve hours; the machine's if None.
    """

    name = "muxi.version_notice"

    def __init__(self, path: str | None = None, *, current: str = __version__, clock: Clock | None = None) -> None:
        self._path = path
        self._current = current
        self._clock = clock

    @hookimpl(tryfirst=True)
    def muxi_response_received(self, response: Response | AsyncResponse | BufferedResponse) -> BufferedResponse | None:
        latest = response.headers.get(_HEADER)
        if latest is not None and latest != self._current and is_newer(latest, self._current) and _is_enabled():
            with _lock:
                if latest in _seen or len(_seen) == _MAX_SEEN:
                    return None
                _seen.add(latest)
            self._notify(latest.strip())
        return None

    def _notify(self, latest: str) -> None:
        """Print the notice, unless one was printed in the last twelve hours."""
        from datetime import datetime  # slow to load and rarely needed

        now = datetime.fromtimestamp((self._clock or SystemClock()).time())
        path = self._path or _state_path()
        state = _read(path) if path else {}
        entry = state.get(_LANGUAGE)
        entry = dict(entry) if isinstance(entry, dict) else {}
        last = _parse_time(entry.get("last_notified"))
        # A time in the future was written before the clock was set back.
        due = last is None or not 0 <= (now - last).total_seconds() < _INTERVAL
        if due and sys.stderr is not None:
            print(
                f"[muxi] the server announces version {latest} of the Python SDK (this is {self._current}). "
                f"{_SWITCH}=0 turns this notice off.",
                file=sys.stderr,
            )
            entry["last_notified"] = now.isoformat()
        if path:
            _write(path, {**state, _LANGUAGE: {**entry, "current": self._current, "latest": latest}})


#: Versions that are noticed in one process: a server could announce another one in each answer.
_MAX_SEEN = 100

#: Versions noticed in this process.
_seen: set[str] = set()
_lock = threading.Lock()
renew_after_fork(sys.modules[__name__], "_lock")


def is_newer(latest: str, current: str) -> bool:
    """Tell whether one version comes after another in the order of Python's package index.

    A pre-release is not newer than a release. A text that is not a version is not newer than any.

    Args:
        latest: the announced version, such as ``1.10.0``.
        current: the running version, such as ``1.9.1`` or ``2.0rc1``.
    """
    theirs, ours = _parse_version(latest), _parse_version(current)
    if theirs is None or ours is None or (_is_preview(theirs) and not _is_preview(ours)):
        return False
    return theirs > ours


def _is_preview(version: _Version) -> bool:
    return version[2] < _FINAL or version[4] < _NO_DEV


#: Values for absent parts that put tuples of versions into their order.
_FINAL = (3, 0)
_NO_DEV = sys.maxsize


def _parse_version(text: str) -> _Version | None:
    """Parse a version into a tuple that compares, without its local part; None for a text that is not one."""
    found = re.fullmatch(_VERSION, text.strip(), re.IGNORECASE | re.ASCII) if len(text) < 100 else None
    if not found:
        return None
    release = [int(number) for number in found["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    pre = (_KINDS[found["kind"].lower()], int(found["pre"] or 0)) if found["kind"] else _FINAL
    post = -1 if found["post"] is None else _digits(found["post"])
    dev = _NO_DEV if found["dev"] is None else _digits(found["dev"])
    if not found["kind"] and found["post"] is None and found["dev"]:
        pre = (-1, 0)  # a development version comes before all previews of its release
    return int(found["epoch"] or 0), tuple(release), pre, post, dev


def _digits(part: str) -> int:
    return int(re.sub(r"\D", "", part) or 0)


def _is_enabled() -> bool:
    switch = os.environ.get(_SWITCH, "").strip()
    if switch:
        return switch != "0"
    return os.environ.get(_CI, "").strip().lower() in ("", "0", "false", "no")


def _state_path() -> str | None:
    """Return the path of the file; None without a home directory."""
    home = os.path.expanduser("~")
    return os.path.join(home, ".muxi", "sdk-versions.json") if os.path.isabs(home) else None


def _parse_time(text: object) -> Any:
    """Parse a time in ISO format as this machine's local time; None for anything else."""
    from datetime import datetime

    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.astimezone().replace(tzinfo=None) if found and found.tzinfo else found


def _read(path: str) -> dict[str, Any]:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.debug("%s cannot be read: %s", path, error)
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: str, state: dict[str, Any]) -> None:
    import json

    # Replaced in one step: other processes read it meanwhile.
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=2)
        os.replace(temporary, path)
    except OSError as error:
        logger.debug("%s cannot be written: %s", path, error)
