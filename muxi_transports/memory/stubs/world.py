"""A world with stubs over it."""

from __future__ import annotations

from collections.abc import Mapping

from muxi.clock import Clock
from muxi.errors import MuxiError
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.incidents import failure_in
from muxi_transports.memory.stubs.failures import StubMistake, UnexpectedRequest
from muxi_transports.memory.stubs.ledger import Ledger
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.stubs.stub import Stub
from muxi_transports.memory.stubs.stubbing import Stubbing
from muxi_transports.memory.world import Answer, Exchange, Pause, World, credentials_of

__all__ = ["StubbedWorld"]


@check_arguments()
class StubbedWorld(Stubbing):
    """A world with stubs over it. Transports that are given the same one share its stubs and its requests::

        stubbed = StubbedWorld(EmbeddedFormation())
        transport, async_transport = MemoryTransport(stubbed), AsyncMemoryTransport(stubbed)

    Args:
        world: what answers where no stub does.
        strict: whether requests are refused instead that no stub is for.
    """

    def __init__(self, world: World, *, strict: bool = False) -> None:
        #: The world that answers where no stub does.
        self.world: World = world
        self._ledger = Ledger()
        self._ledger.strict = strict
        self._ledger.follows_platform = bool(getattr(world, "follows_platform", False))

    @property
    def clock(self) -> Clock:
        """The world's."""
        return self.world.clock

    @property
    def credentials(self) -> Mapping[str, str]:
        """The world's."""
        return credentials_of(self.world)

    @property
    def ledger(self) -> Ledger:
        """The stubs and requests, for the transports that share them."""
        return self._ledger

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        try:
            return (yield from self._respond(request))
        except UnexpectedRequest:
            raise
        except BaseException as error:
            # The code under test may handle it; the test is to fail all the same.
            if failure_in(error) is not None:
                self._ledger.incidents.record("the world", error)
            raise

    def _respond(self, request: Request) -> Exchange:
        ledger = self._ledger
        sent = ledger.take_in(SentRequest(request, self.clock.time()))
        for stub in tuple(ledger.stubs):
            with ledger.incidents.watch(f"when= of the stub for {stub.expectation}"):
                taken = stub.take(sent)
            if not taken:
                continue
            sent.stub = stub
            sent.drain()
            if stub.delay:
                yield Pause(stub.delay)
            answer = self._answer(stub, sent)
            if answer is not None:
                sent.status = answer.status
                return answer
            sent.stub = None
        if ledger.strict:
            raise ledger.refusal(sent)
        answer = yield from self.world.respond(request)
        sent.status = answer.status
        return answer

    def _answer(self, stub: Stub, sent: SentRequest) -> Answer | None:
        """Have a stub answer; None if its function leaves the request to the next one."""
        try:
            return stub.answer(sent, self.clock)
        except Exception as error:
            # A function may raise what a network or the SDK would, and error= is there to be raised.
            useless = isinstance(error, StubMistake)
            meant = isinstance(error, MuxiError | OSError) and not useless and failure_in(error) is None
            if not (stub.raises or meant):
                self._ledger.incidents.record(f"respond= of the stub for {stub.expectation}", error, fails=useless)
            raise

    def __repr__(self) -> str:
        return f"StubbedWorld({self.world!r})"
