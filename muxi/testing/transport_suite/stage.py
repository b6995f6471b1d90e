"""The base of all scenarios: the transport under test, servers, and checks."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, TypeVar
from unittest import mock

from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.testing.transport_suite.handlers import Handler, Received
from muxi.testing.transport_suite.rules import rules_of
from muxi.testing.transport_suite.server import Script, Server, script_of
from muxi.transport import AsyncTransport, Request, Transport

__all__ = ["Link", "Stage", "WireStage"]

E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True)
class Link:
    """A transport, and something that answers it."""

    transport: Transport
    #: Where the transport reaches it.
    url: str
    #: The requests that have arrived.
    requests: list[Received]


class Stage:
    """The ground of all scenarios. Not to be subclassed by users: see the suites."""

    #: Rules that the transport does not keep, by name, each with the reason; their tests are skipped and show it.
    skips: ClassVar[Mapping[str, str]] = {}
    #: How long, in seconds, the suite waits for what has to happen. Nothing takes long where a transport is right.
    patience: float = 5.0

    _stack: ExitStack
    _gates: list[threading.Event]
    _loop: Loop | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.skips:
            known = [rule.name for rule in rules_of(cls)]
            for name in cls.skips:
                if name not in known:
                    near = get_close_matches(name, known, 1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    raise ConfigurationError(f"skips= of {cls.__name__} names {name!r}, which is no rule{hint}")

    # -- the stage ---------------------------------------------------------------------------------------------

    @contextmanager
    def set_up(self) -> Iterator[None]:
        """Run a scenario: no proxies and no ``.netrc`` of the machine, and everything is closed in the end."""
        with ExitStack() as stack, mock.patch.dict(os.environ):
            for name in list(os.environ):
                if name.lower().endswith("_proxy") or name in ("NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                    del os.environ[name]
            self._stack, self._gates, self._loop = stack, [], None
            stack.callback(self._open_gates)
            yield

    def _open_gates(self) -> None:
        for gate in self._gates:
            gate.set()

    def gate(self) -> threading.Event:
        """An event to wait for with ``patience``, which is set at the end in any case."""
        self._gates.append(threading.Event())
        return self._gates[-1]

    def held(self, made: Callable[[], object]) -> Transport:
        """A transport under test, an async one behind the face of a sync one; it is closed in the end."""
        transport = self._build_transport(made)
        self._stack.callback(transport.close)
        self._stack.callback(self._open_gates)
        return transport

    def _build_transport(self, made: Callable[[], object]) -> Transport:
        transport = made()
        if not isinstance(transport, Transport):
            raise AssertionError(f"make_transport() returned {type(transport).__name__}, no muxi.transport.Transport")
        return transport

    def connect(self, handler: Handler) -> Link:
        """The transport under test, and a handler that answers it."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let an event loop notice what has happened to its connections."""

    def reading(self, transport: Transport, request: Request) -> Callable[[], bytes]:
        """Return a function that sends a request and reads its response, to be called by a check."""
        return lambda: transport.send(request).read()

    # -- checks ------------------------------------------------------------------------------------------------

    def expect(self, seen: object, expected: object, what: str) -> None:
        """Require two equal values.

        Args:
            what: what they are, for the message.
        """
        if seen != expected:
            raise AssertionError(f"{what} is {_short(seen)}, expected {_short(expected)}")

    def require(self, condition: bool, problem: str) -> None:
        """Require a condition.

        Args:
            problem: what is seen where it is not.
        """
        if not condition:
            raise AssertionError(problem)

    def fails(self, expected: type[E], call: Callable[[], object], what: str) -> E:
        """Require a call to fail, and return its error."""
        try:
            call()
        except expected as error:
            return error
        except Exception as error:
            raise AssertionError(
                f"{what} raised {type(error).__module__}.{type(error).__qualname__} ({error}), "
                f"expected {expected.__module__}.{expected.__qualname__}"
            ) from error
        raise AssertionError(f"{what} raised nothing, expected {expected.__module__}.{expected.__qualname__}")

    def loses(self, call: Callable[[], object], what: str, *codes: str, connected: bool) -> ConnectionError:
        """Require a call to fail with a connection error, and return it."""
        error = self.fails(ConnectionError, call, what)
        self.expect(error.connected, connected, f"`connected` of the error of {what} ({error})")
        if codes:
            self.require(
                error.code in codes,
                f"the code of the error of {what} is {error.code!r}, expected {' or '.join(codes)} ({error})",
            )
        return error

    def times_out(self, call: Callable[[], object], what: str, bound: str, *, connected: bool) -> TimeoutError:
        """Require a call to time out, and return the error."""
        error = self.fails(TimeoutError, call, what)
        self.expect(error.bound, bound, f"`bound` of the error of {what} ({error})")
        self.expect(error.connected, connected, f"`connected` of the error of {what} ({error})")
        return error


class WireStage(Stage):
    """The ground of scenarios over sockets."""

    # -- hooks for authors -------------------------------------------------------------------------------------

    def open_listener(self) -> socket.socket:
        """A socket that listens where the transport can connect to; override it for other than TCP on loopback."""
        return socket.create_server(("127.0.0.1", 0), backlog=64)

    def url_of(self, listener: socket.socket) -> str:
        """The address of such a socket as the transport takes it, without a path."""
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def made(self) -> object:
        """The transport made by ``make_transport``."""
        raise NotImplementedError

    # -- for scenarios -----------------------------------------------------------------------------------------

    _transport: Transport | None = None

    @contextmanager
    def set_up(self) -> Iterator[None]:
        self._transport = None
        with super().set_up():
            yield

    @property
    def transport(self) -> Transport:
        """The transport under test, one for a scenario."""
        if self._transport is None:
            self._transport = self.held(self.made)
        return self._transport

    def serve(self, script: Script) -> Server:
        """A server that runs a script for each connection; what the script fails with, fails the scenario."""
        listener = self.open_listener()
        server = Server(script, listener, self.url_of(listener), self.patience)

        def stop() -> None:
            self._open_gates()
            server.stop()
            if server.failures:
                raise server.failures[0]

        self.transport  # noqa: B018  made first, so that it is closed last: after what it has to notice
        self._stack.callback(stop)
        return server

    def connect(self, handler: Handler) -> Link:
        server = self.serve(script_of(handler))
        return Link(self.transport, server.url, server.requests)

    def sent(self, request: Request) -> bytes:
        """Send a request and read its answer."""
        return self.transport.send(request).read()

    def collect(self) -> None:
        """Run the garbage collector."""
        gc.collect()


class AsyncStage(Stage):
    """Puts the face of a sync transport before an async one; stands before the other stages."""

    def _build_transport(self, made: Callable[[], object]) -> Transport:
        transport = self.loop.call(made)
        if not isinstance(transport, AsyncTransport):
            raise AssertionError(
                f"make_transport() returned {type(transport).__name__}, no muxi.transport.AsyncTransport"
            )
        return FacadeTransport(transport, self.loop)

    @property
    def loop(self) -> Loop:
        """The event loop that the transport lives in, one for a scenario."""
        if self._loop is None:
            # Longer than the servers', so that theirs ends what hangs.
            self._loop = Loop(3 * self.patience)
            self._stack.callback(self._loop.stop)
        return self._loop

    def settle(self) -> None:
        for _ in range(5):
            self.loop.call(lambda: None)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:280]}… ({len(text)} characters)"
