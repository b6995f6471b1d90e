"""What is measured of every contender: a page of memories, a chat, an answer of 1 MiB, a stream, and bundles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["CHAT", "Contender"]

CHAT = {"message": "Hello!", "stream": False}


class Contender(ABC):
    """One way to talk to a formation.

    Args:
        base: the base URL, with the version path.
        verify: the path of the certificate authorities to trust, for https.
    """

    def __init__(self, base: str, verify: str | None = None) -> None:
        self.base = base
        self.verify = verify

    @abstractmethod
    def memories(self) -> object:
        """A page of ten memories."""

    @abstractmethod
    def chat(self) -> object:
        """A chat, not streamed."""

    @abstractmethod
    def large(self) -> object:
        """An answer of 1 MiB, decoded."""

    @abstractmethod
    def stream(self, message: str) -> Iterator[Any]:
        """The events of a chat stream, decoded; ``message`` tells the server which."""

    def text_of(self, event: Any) -> str:
        """The text in an event of :meth:`stream`."""
        return str(event["token"]["content"])

    @abstractmethod
    def upload(self, bundle: Path) -> object:
        """Deploy a bundle, which goes up from its file."""

    @abstractmethod
    def download(self, target: Path) -> object:
        """Take down a bundle of 1 GiB, into a file."""

    def for_thread(self) -> Contender:
        """What a thread calls: the same in all threads, where it can be shared."""
        return self

    @abstractmethod
    def close(self) -> None:
        """Free the connections."""
