"""The methods of the in-memory transports that tests use: stubs, and the requests so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from muxi.errors import ConfigurationError
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.stubs.answers import NOTHING, Canned, StreamItem
from muxi_transports.memory.stubs.failures import UnexpectedRequest, UnusedStub
from muxi_transports.memory.stubs.ledger import Ledger
from muxi_transports.memory.stubs.routes import check_route
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.stubs.stub import Expectation, Respond, Stub, count_text

__all__ = ["Stubbing"]


class Stubbing:
    """Stubs over a world, and the requests that came to it."""

    _ledger: Ledger

    @check_arguments("error", "respond", "when")
    def stub(
        self,
        method: str,
        path: str,
        *,
        json: object = NOTHING,
        text: str | None = None,
        content: bytes | None = None,
        events: Sequence[StreamItem] | None = None,
        respond: Respond | None = None,
        error: Exception | type[Exception] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        delay: float = 0.0,
        times: int | None = None,
        query: Mapping[str, object] | None = None,
        body: object = NOTHING,
        user: str | None = None,
        when: Callable[[SentRequest], bool] | None = None,
        unlisted: bool = False,
    ) -> Stub:
        """Answer some requests in place of the world. Of several matching stubs the latest one answers.

        Keys are not checked and nothing is validated or kept: a stub says what comes back, and that is all. ::

            transport.stub("GET", "/v1/agents", json={"agents": [], "count": 0})
            transport.stub("GET", "/v1/agents/{agent_id}", status=404, json={"code": "AGENT_NOT_FOUND"})
            transport.stub("POST", "/v1/chat", error=TimeoutError, times=1)
            transport.stub("POST", "/v1/chat", events=["Hel", "lo"])

        Args:
            method: ``GET``, …; ``*`` is any.
            path: of the formation (``/v1/…``, behind the proxy of a server too) or of the server; ``{name}`` and ``*``
                are one segment, ``**`` any number.
            json: data; on the routes of a formation, and on ``/rpc`` of a server, it goes into the envelope of the
                wire, unless it is one already. With a status from 400 up it may have ``code`` and ``message``, and the
                rest is the ``data`` of the error.
            text: a text in place of JSON.
            content: bytes.
            events: a stream. Texts are the deltas of a chat, and texts alone are a whole one; a mapping is a frame
                (``{"event": …, "data": …}``, or just its data), bytes are sent as they are,
                a :class:`~muxi_transports.memory.Pause` passes on the clock, and an exception breaks the stream there.
            respond: a function from the request to a mapping or a list (as ``json``), a text, bytes, a
                :class:`~muxi.transport.BufferedResponse`, or None to leave it to the next stub.
            error: what is raised in place of an answer, an instance or a class. The built-in ``ConnectionError``,
                ``ConnectionRefusedError`` and ``TimeoutError`` stand for the SDK's.
            status: the HTTP status.
            headers: headers of the answer.
            raw: send the JSON as it is.
            delay: seconds before the answer, on the world's clock; the bounds of the request count them.
            times: how many requests it is for; None is all.
            query: only for requests whose query has at least this.
            body: only for requests whose JSON has at least this; patterns of :mod:`re` are searched for in texts.
            user: only for requests of this user.
            when: only for requests for which this function returns True.
            unlisted: whether the route may be one that the platform does not have. Without it such a stub is refused,
                for no client would ever call it.

        Returns:
            The stub, which knows its requests and can be removed.

        Raises:
            ConfigurationError: the path is no pattern, no route of the platform has this method and path (the message
                has the nearest one), there is more than one answer, or a number is invalid.
        """
        stub = Stub(
            Expectation(method, path, query, body, user, when),
            canned=Canned(status, dict(headers or {}), json, text, content, events, raw),
            respond=respond,
            error=error,
            delay=delay,
            times=times,
            remove=self._ledger.remove,
            end=self._ledger.end,
        )
        if self._ledger.follows_platform and not unlisted:
            check_route(method, path)
        self._ledger.add(stub)
        return stub

    def stub_only(self, only: bool = True) -> None:
        """Refuse requests without a stub, with an :class:`~muxi_transports.memory.UnexpectedRequest`."""
        self._ledger.strict = only

    @property
    def strict(self) -> bool:
        """True if requests without a stub are refused."""
        return self._ledger.strict

    @property
    def stubs(self) -> tuple[Stub, ...]:
        """The stubs there are, in the order in which they are asked."""
        return tuple(self._ledger.stubs)

    @property
    def requests(self) -> list[SentRequest]:
        """The requests that came, the earliest first: each attempt is one. The last 10,000 are kept."""
        return list(self._ledger.requests)

    @property
    def last_request(self) -> SentRequest:
        """The request that came last.

        Raises:
            AssertionError: none has come.
        """
        if not self._ledger.requests:
            raise AssertionError("no request has been made")
        return self._ledger.requests[-1]

    def assert_called(
        self,
        method: str,
        path: str,
        *,
        json: object = NOTHING,
        query: Mapping[str, object] | None = None,
        user: str | None = None,
        times: int | None = None,
    ) -> SentRequest:
        """Check that a request was made.

        Args:
            method: ``POST``, …; ``*`` is any.
            path: a pattern, as for :meth:`stub`.
            json: what its JSON has at least; patterns of :mod:`re` are searched for in texts.
            query: what its query has at least.
            user: its user.
            times: how often; at least once if not given. Each attempt counts.

        Returns:
            The last such request.

        Raises:
            AssertionError: it was not; the message has the nearest request and what differs.
            ConfigurationError: ``times`` is below 1; :meth:`assert_not_called` checks that there was none.
        """
        if times is not None and times < 1:
            raise ConfigurationError("times= takes 1 or more; assert_not_called() checks that there was no request")
        expectation = Expectation(method, path, query, json, user)
        found = self._ledger.fitting(expectation)
        if not found or (times is not None and len(found) != times):
            raise AssertionError(self._ledger.missing(expectation, times))
        return found[-1]

    def assert_not_called(self, method: str = "*", path: str = "*", *, unlisted: bool = False) -> None:
        """Check that no such request was made; without arguments, none at all.

        Args:
            method: ``POST``, …; ``*`` is any.
            path: a pattern, as for :meth:`stub`.
            unlisted: whether the route may be one that the platform does not have. Without it such a check is refused,
                for it would always hold.

        Raises:
            AssertionError: one was.
            ConfigurationError: no route of the platform has this method and path; the message has the nearest one.
        """
        expectation = Expectation(method, path)
        if self._ledger.follows_platform and not unlisted:
            check_route(method, path, "check")
        if found := self._ledger.fitting(expectation):
            raise AssertionError(f"{expectation} was called {count_text(len(found))}, the last time by {found[-1]!r}")

    @property
    def unexpected(self) -> tuple[UnexpectedRequest, ...]:
        """The refused requests, for which there was no stub."""
        return tuple(self._ledger.unexpected)

    @property
    def unused(self) -> tuple[UnusedStub, ...]:
        """An error for each stub that no request was for; it names the nearest request."""
        return tuple(self._ledger.unused)

    def assert_all_used(self) -> None:
        """Check that every stub was used.

        Raises:
            UnusedStub: the first that was not.
        """
        for error in self._ledger.unused:
            raise error

    def assert_all_expected(self) -> None:
        """Check that no request was refused for want of a stub, also where the code under test went on after it.

        Raises:
            UnexpectedRequest: the first that was.
        """
        if self.unexpected:
            raise self.unexpected[0]

    def forget(self) -> None:
        """Remove all stubs, and forget the requests, those that were refused too."""
        self._ledger.clear()
