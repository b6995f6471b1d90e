"""The options of ``muxi-client serve``."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ServeOptions"]


@dataclass(frozen=True)
class ServeOptions:
    """The address, the world and the keys of a development server."""

    host: str = "127.0.0.1"
    port: int = 8001
    #: Path of a Unix socket in place of host and port.
    uds: str | None = None
    #: Path of a file with the replies of the agents.
    script: str | None = None
    #: Whether the management API is served too.
    server: bool = False
    client_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)
    key_id: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    #: Seconds between two deltas of a stream.
    pace: float = 0.02
    #: Whether the world is made anew when the script changes.
    reload: bool = False
