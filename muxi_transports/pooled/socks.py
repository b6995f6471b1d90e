"""Connections of urllib3 through a SOCKS proxy, bounded as a whole. Needs PySocks, of the extra ``[socks]``."""

from __future__ import annotations

import socket
import time
import warnings
from typing import Any

import urllib3  # noqa: F401  whole, before its parts: another thread may be half through importing it
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

with warnings.catch_warnings():
    # urllib3 warns that PySocks is missing, beside the ImportError that says so.
    warnings.simplefilter("ignore")
    import socks  # type: ignore[import-untyped]  # PySocks has no types
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection, SOCKSProxyManager

from muxi_transports.http.attempt import Attempt, NameLookupTimeout
from muxi_transports.http.lookup import look_up
from muxi_transports.pooled.pool import Connection, Pool, SecurePool, watch_handshake
from muxi_transports.pooled.wire import release, watch

__all__ = ["LIBRARY_POOLS", "SOCKS_POOLS", "connect_by_socks"]


class _BoundedSocket(socks.socksocket):  # type: ignore[misc]  # PySocks has no types
    """A socket of PySocks whose whole negotiation ends at a deadline, not each of its reads."""

    deadline: float | None = None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # Any: the protocol of buffers
        """Receive into a buffer, before the deadline."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            socket.socket.settimeout(self, left)
        return int(super().recv_into(buffer, nbytes, flags))


def connect_by_socks(
    connection: SOCKSConnection, seconds: float | None, attempt: Attempt | None = None
) -> socket.socket:
    """A socket that a SOCKS proxy has connected to the host of a connection of urllib3.

    Args:
        connection: whose host, port, proxy and options are taken.
        seconds: the longest time for everything.
        attempt: what the connection is for.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    failure: Exception
    try:
        sock = _connect(connection, deadline, attempt)
        watch_handshake(connection, sock, attempt)
        return sock
    except NameLookupTimeout as error:
        failure = ConnectTimeoutError(connection, f"connecting to {connection.host} timed out")
        failure.__cause__ = error
    except TimeoutError:
        failure = ConnectTimeoutError(connection, f"connecting to {connection.host} timed out")
    except socks.ProxyError as error:
        inner = error.socket_err
        if isinstance(inner, TimeoutError):
            failure = ConnectTimeoutError(connection, f"connecting to {connection.host} timed out")
        else:
            failure = NewConnectionError(connection, f"Failed to establish a new connection: {inner or error}")
    except OSError as error:
        failure = NewConnectionError(connection, f"Failed to establish a new connection: {error}")
    raise failure


def _connect(connection: SOCKSConnection, deadline: float | None, attempt: Attempt | None) -> socket.socket:
    options: Any = connection._socks_options  # Any: the types of PySocks and of urllib3 do not agree
    proxy, port = (options["proxy_host"] or "").strip("[]"), options["proxy_port"]
    failure: Exception = OSError("the name of the proxy has no addresses")
    host = connection.host.strip("[]")
    if not options["rdns"]:
        # PySocks would look the name up itself, as long as that takes. SOCKS 4 knows no IPv6.
        of_4 = options["socks_version"] == socks.SOCKS4
        found = look_up(host, connection.port or 0, deadline, attempt, family=socket.AF_INET if of_4 else 0)
        host = str(found[0][4][0])
    for family, kind, protocol, _, address in look_up(proxy, port, deadline, attempt):
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        sock = _BoundedSocket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(left)
            sock.deadline = deadline
            if attempt is not None:
                watch(sock, attempt)
            sock.set_proxy(
                options["socks_version"],
                str(address[0]),
                port,
                options["rdns"],
                options["username"],
                options["password"],
            )
            if connection.source_address:
                sock.bind(connection.source_address)
            sock.connect((host, connection.port))
            # From here on it is a plain socket: that of PySocks knows no waiting for nothing.
            plain = socket.socket(fileno=sock.detach())
            plain.settimeout(left)
            return plain
        except (OSError, socks.ProxyError) as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        finally:
            if attempt is not None:
                release(attempt)
        if attempt is not None and attempt.ended_by is not None:
            break
    raise failure


class _SocksConnection(Connection, SOCKSConnection):
    def _new_conn(self) -> Any:  # Any: in urllib3 it is PySocks' own socket
        return connect_by_socks(self, self.time_to_connect, self.attempt)


class _SecureSocksConnection(_SocksConnection, SOCKSHTTPSConnection):
    pass


class _SocksPool(Pool):
    ConnectionCls: Any = _SocksConnection


class _SecureSocksPool(SecurePool):
    ConnectionCls: Any = _SecureSocksConnection


#: By scheme, urllib3's own pools through a SOCKS proxy.
LIBRARY_POOLS: dict[str, type[HTTPConnectionPool]] = SOCKSProxyManager.pool_classes_by_scheme
#: By scheme, the pools of the direct lane through a SOCKS proxy.
SOCKS_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _SocksPool, "https": _SecureSocksPool}
