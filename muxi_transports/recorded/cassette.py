"""A cassette: the exchanges of a file, which of them have been played, and those that are being recorded."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from muxi.clock import Clock
from muxi.errors import MissingExtraError
from muxi.forks import renew_after_fork
from muxi.transport.arguments import check_arguments
from muxi_transports.recorded.errors import CassetteError, UnrecordedRequest
from muxi_transports.recorded.exchange import Exchange, RecordedRequest
from muxi_transports.recorded.matching import Match, Matcher, nearest
from muxi_transports.recorded.scrub import Scrubber
from muxi_transports.recorded.take import Take

__all__ = ["Cassette", "Mode"]

#: When something is recorded, and when it is played.
Mode: TypeAlias = Literal["none", "once", "new", "all"]

E = TypeVar("E", bound=CassetteError)


@check_arguments()
class Cassette:
    """The exchanges recorded in a file.

    The file is read when the cassette is made, and written whole, in place of what was there, as each exchange
    ends: whatever happens next, what had been recorded up to then is there. Exchanges are in the order in which
    their requests were sent. A cassette may be used by several transports at once, of both colours, and by
    several threads and tasks.

    Args:
        path: the file; its folder is made when there is something to write.
        match: which recorded request one that is sent is the same as.
        scrub: what is taken out before anything is written or compared.
        allow_repeats: whether a request that has been answered as often as it was recorded gets the last of these
            answers again.

    Raises:
        CassetteError: the file is not a cassette, or of another version of the format.
        ConfigurationError: PyYAML is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        match: Match | None = None,
        scrub: Scrubber | None = None,
        allow_repeats: bool = False,
    ) -> None:
        #: The file.
        self.path: Path = Path(path)
        #: Whether a request may be answered more often than it was recorded.
        self.allow_repeats: bool = allow_repeats
        self._match: Match = Matcher() if match is None else match
        # A copy, because it learns secrets, and these are of one recording.
        self._scrub = replace(scrub) if scrub is not None else Scrubber()
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        #: Exchanges that have ended and are not taken in yet.
        self._ended: deque[tuple[Take, Exchange | None]] = deque()
        self._text: str | None = _read(self.path)
        self._column: int | None = None
        self._loaded: tuple[Exchange, ...] = ()
        self._played: list[int] = []
        self._takes: list[Take] = []
        _yaml_module("writing")
        if self._text is not None:
            found, self._column = _yaml_module("reading").load(self._text, str(self.path))
            self._loaded = tuple(found)

    @property
    def existed(self) -> bool:
        """True where the file existed when the cassette was made."""
        return self._text is not None

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges: those of the file, then those that were recorded since."""
        with self._hold_lock():
            return (*self._loaded, *self._ended_exchanges())

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """The exchanges that were recorded since this was made, as they are in the file."""
        with self._hold_lock():
            return self._ended_exchanges()

    @property
    def played(self) -> tuple[Exchange, ...]:
        """The exchanges that were played, in the order in which that was, again where they were played again."""
        with self._hold_lock():
            return tuple(self._loaded[index] for index in self._played)

    @property
    def unplayed(self) -> tuple[Exchange, ...]:
        """The exchanges of the file that were not played yet."""
        with self._hold_lock():
            return tuple(self._loaded[index] for index in self._unplayed_indexes())

    @property
    def all_played(self) -> bool:
        """True once each exchange of the file has been played."""
        return not self.unplayed

    def play(self, request: RecordedRequest) -> Exchange | None:
        """Find what was recorded for a request, and take note that it was played.

        Returns:
            The first that fits and was not played yet; None where there is none.
        """
        with self._hold_lock():
            sent = self._learn_and_scrub(request)
            index = self._find(sent)
            if index is not None:
                self._played.append(index)
            return None if index is None else self._loaded[index]

    def unrecorded(self, request: RecordedRequest, hint: str) -> UnrecordedRequest:
        """The error for a request that nothing was recorded for: it shows what is nearest, and what differs.

        Args:
            request: what was sent.
            hint: what can be done about it.
        """
        with self._hold_lock():
            sent = self._learn_and_scrub(request)
            title = f"nothing in {self.path} fits {sent.method} {sent.url}"
            if not self._loaded:
                return UnrecordedRequest(f"{title}: it has no exchanges. {hint}")
            left = self._unplayed_indexes()
            candidates = left or range(len(self._loaded))
            at, differences = nearest(self._match, [self._loaded[index].request for index in candidates], sent)
            again = any(not self._match(exchange.request, sent) for exchange in self._loaded)
            found = self._loaded[candidates[at]]
            lines = [title]
            if again:
                lines.append("What fits was played already; allow_repeats=True plays the last of it again.")
            if differences:
                state = "" if left else ", played already,"
                lines.append(f"The nearest{state} is {_where(found)}, and differs:")
                lines += [f"  {difference}" for difference in differences]
            return UnrecordedRequest("\n".join([*lines, hint]), found, differences)

    def refuse(self, error: E) -> E:
        """Take an error before it is raised, and return it. Here that is all; who watches a cassette overrides it."""
        return error

    def begin(self, request: RecordedRequest, clock: Clock) -> Take:
        """Record what comes of a request; its place is before those of requests that are sent later.

        Args:
            request: the request.
            clock: measures when what came.
        """
        take = Take(request, clock, self._finish)
        with self._hold_lock():
            self._takes.append(take)
        return take

    def start_over(self) -> None:
        """Forget what is in the file; it is replaced by the first exchange that is recorded."""
        with self._hold_lock():
            self._loaded, self._played, self._column = (), [], None

    def discard(self) -> None:
        """Have the file as it was when this was made; what was recorded since is forgotten."""
        with self._hold_lock():
            self._takes.clear()
            if self._text is not None:
                _write(self.path, self._text)
            else:
                self.path.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"Cassette({str(self.path)!r})"

    def _learn_and_scrub(self, request: RecordedRequest) -> RecordedRequest:
        self._scrub.learn(request)
        return self._scrub.request(request)

    def _unplayed_indexes(self) -> Sequence[int]:
        played = {*self._played}
        return [index for index in range(len(self._loaded)) if index not in played]

    def _find(self, sent: RecordedRequest) -> int | None:
        fitting = [index for index, it in enumerate(self._loaded) if not self._match(it.request, sent)]
        left = {*self._unplayed_indexes()}
        fresh = [index for index in fitting if index in left]
        # Ids that are not compared still tell which of two polls is which, where they are the recorded ones.
        exact = (index for index in fresh if _same_words(self._loaded[index].request, sent))
        if fresh:
            return next(exact, fresh[0])
        return fitting[-1] if fitting and self.allow_repeats else None

    def _ended_exchanges(self) -> tuple[Exchange, ...]:
        return tuple(take.exchange for take in self._takes if take.exchange is not None)

    def _finish(self, take: Take, raw: Exchange | None) -> None:
        """Take in an exchange that has ended, and write the file.

        Never waits for the lock, because a finalizer may call this in a thread that holds it: whoever holds the lock
        takes in the exchange before letting it go.
        """
        self._ended.append((take, raw))
        while self._ended and self._lock.acquire(blocking=False):
            try:
                self._take_in()
            finally:
                self._lock.release()

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        """Hold the lock, with all exchanges taken in that have ended."""
        with self._lock:
            self._take_in()
            yield
        while self._ended and self._lock.acquire(blocking=False):
            try:
                self._take_in()
            finally:
                self._lock.release()

    def _take_in(self) -> None:
        """Take in the exchanges that have ended, and write the file where there is one more; the lock is held."""
        changed = False
        while self._ended:
            take, raw = self._ended.popleft()
            if take.exchange is not None or take not in self._takes:
                continue  # it has ended before, or was discarded
            if raw is None:
                self._takes.remove(take)
                continue
            if self._scrub.learn(raw.request):
                # What was not known to be a secret may be in what was recorded before.
                for other in self._takes:
                    if other.exchange is not None:
                        self._keep(other, other.exchange)
            self._keep(take, raw)
            changed = True
        if changed:
            self._save()

    def _keep(self, take: Take, exchange: Exchange) -> None:
        scrubbed = self._scrub.exchange(exchange)
        if scrubbed != take.exchange:
            take.exchange = scrubbed
            take.text = _yaml_module("writing").dump(scrubbed, self._column or 0)

    def _save(self) -> None:
        writing = _yaml_module("writing")
        if self._column is not None and self._text is not None:
            # Text and comments written by hand stay as they are.
            before = self._text
        else:
            before = writing.HEAD + "".join(map(writing.dump, self._loaded))
        try:
            _write(self.path, before + "".join(take.text for take in self._takes))
        except CassetteError as error:
            self.refuse(error)
            raise


def _where(exchange: Exchange) -> str:
    request = exchange.request
    return f"{request.method} {request.url}" + (f" in line {exchange.line}" if exchange.line else "")


def _same_words(recorded: RecordedRequest, sent: RecordedRequest) -> bool:
    return _target(recorded) == _target(sent) and recorded.content == sent.content


def _target(request: RecordedRequest) -> tuple[str, str]:
    parts = urlsplit(request.url)
    return parts.path, parts.query


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise CassetteError(f"{path} is not a cassette: it is not UTF-8 text ({error})") from error
    except OSError as error:
        raise CassetteError(f"{path} cannot be read: {error}") from error


def _write(path: Path, text: str) -> None:
    """Replace a file whole: whoever reads it meanwhile has the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(text.encode())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise CassetteError(f"{path} cannot be written: {error}") from error


def _yaml_module(name: str) -> ModuleType:
    """A module of this package that needs PyYAML, which is in an extra."""
    try:
        return import_module(f"muxi_transports.recorded.{name}")
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise MissingExtraError("cassettes need PyYAML: pip install 'muxi-client[test]'") from error
