"""A world with stubs over it."""

from __future__ import annotations

from collections.abc import Mapping

from muxi.clock import Clock
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.stubs.failures import UnexpectedRequest
from muxi_transports.memory.stubs.ledger import Ledger
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.stubs.stubbing import Stubbing
from muxi_transports.memory.world import Exchange, Pause, World, credentials_of

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
        except AssertionError as error:
            # The code under test may handle it; the test is to fail all the same.
            self._ledger.assertions.append(error)
            raise

    def _respond(self, request: Request) -> Exchange:
        ledger = self._ledger
        sent = SentRequest(request, self.clock.time())
        ledger.requests.append(sent)
        for stub in tuple(ledger.stubs):
            if not stub.take(sent):
                continue
            sent.stub = stub
            sent.drain()
            if stub.delay:
                yield Pause(stub.delay)
            answer = stub.answer(sent, self.clock)
            if answer is not None:
                sent.status = answer.status
                return answer
            sent.stub = None
        if ledger.strict:
            raise ledger.refusal(sent)
        answer = yield from self.world.respond(request)
        sent.status = answer.status
        return answer

    def __repr__(self) -> str:
        return f"StubbedWorld({self.world!r})"
