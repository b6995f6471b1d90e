"""Stubs over an embedded world: single routes answered as a test says, and every request remembered."""

from __future__ import annotations

from muxi_transports.memory.stubs.failures import UnexpectedRequest, UnusedStub
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.stubs.stub import Stub
from muxi_transports.memory.stubs.stubbing import Stubbing
from muxi_transports.memory.stubs.world import StubbedWorld

__all__ = ["SentRequest", "Stub", "StubbedWorld", "Stubbing", "UnexpectedRequest", "UnusedStub"]
