"""The shared state of one client and its copies: address, plugins, schemas, clock and connections."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from muxi.clock import Clock, SystemClock
from muxi.config import Address, CallOptions, FormationConfig, ServerConfig
from muxi.errors import ConfigurationError
from muxi.exchange.closing import Closing
from muxi.exchange.fresh import FreshRequests
from muxi.exchange.steps import ExchangeSettings
from muxi.forks import renew_after_fork
from muxi.hooks import Hooks
from muxi.registry import TransportRegistry, chosen_transport
from muxi.schemas import SchemaRegistry
from muxi.transport import AsyncTransport, Transport

__all__ = ["Core"]


class Core:
    """State that a client shares with the copies that ``with_options`` and ``with_raw_response`` make."""

    def __init__(
        self, config: FormationConfig | ServerConfig, builtin: list[tuple[str, object]], *, asynchronous: bool
    ) -> None:
        self.config: FormationConfig | ServerConfig = config
        self.address: Address = config.address()
        self.hooks: Hooks = Hooks(builtin, config.plugins, config.disable_plugins, asynchronous=asynchronous)
        self.transports: TransportRegistry = TransportRegistry()
        self.schemas: SchemaRegistry = SchemaRegistry(config.logger)
        self.hooks.require("muxi_register_transports", registry=self.transports)
        self.hooks.require("muxi_register_schemas", registry=self.schemas)
        self.fresh: FreshRequests = FreshRequests()
        #: What is left to do for streams whose objects are gone. Finalizers append to it; they may take no lock.
        self.dropped_streams: deque[Callable[[], None]] = deque()
        self.closed: bool = False
        self.closing: Closing = Closing()
        self.lock: threading.Lock = threading.Lock()
        renew_after_fork(self, "lock")
        self._transport: Transport | AsyncTransport | None = None
        self._owned = False
        make = self.transports.make_async if asynchronous else self.transports.make_sync
        choice = chosen_transport(config.transport)
        # A name is made at first use, so that an unused client loads no HTTP library; anything else is checked now.
        self._make = partial(make, choice)
        if isinstance(choice, str):
            self.transports.factory(choice, asynchronous=asynchronous)
        else:
            self._transport, self._owned = self._make()
        self.clock: Clock = config.clock or getattr(self._transport, "clock", None) or SystemClock()

    @property
    def transport(self) -> Transport | AsyncTransport:
        transport = self._transport
        if transport is not None:
            return transport
        with self.lock:
            if self.closed:
                raise ConfigurationError("this client has been closed; make a new one")
            if self._transport is None:
                self._transport, self._owned = self._make()
                if self.config.clock is None and self._transport.clock is not None:
                    self.clock = self._transport.clock
            return self._transport

    def settings(self, options: CallOptions) -> ExchangeSettings:
        if self._transport is None:
            _ = self.transport  # its clock may be the one to use; and a closed client says that it is
        return ExchangeSettings(
            self.address,
            options,
            self.hooks,
            self.schemas,
            self.clock,
            self.fresh,
            self.closing,
            self._is_private(),
        )

    def _is_private(self) -> bool:
        return self._transport is not None and self._transport.private

    def begin_closing(self) -> bool:
        """Return whether the caller is the first to close the client."""
        with self.lock:
            if self.closing.begun:
                return False
            self.closing.begin()
            return True

    def take_transport(self) -> Transport | AsyncTransport | None:
        """Mark the client as closed, and return the transport to close, once."""
        with self.lock:
            self.closed = True
            transport, self._transport = self._transport, None
            self.closing.connections_closed = self._owned
            return transport if self._owned else None

    def sleep(self, seconds: float) -> None:
        """Wait on the client's clock; closing the client ends the wait."""
        self.closing.sleep(seconds, self.clock)

    async def sleep_async(self, seconds: float) -> None:
        """As :meth:`sleep`, for async clients."""
        await self.closing.sleep_async(seconds, self.clock)
