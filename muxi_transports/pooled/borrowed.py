"""Pools of the user's sessions and adapters, held to the transport's bounds and rules for the transport's requests.

The pools themselves are not changed: an adapter hands out a view of its pool, which shares everything with it, while
the transport sends. Requests that the user makes with the same session get the pool itself.
"""

from __future__ import annotations

import weakref
from typing import Any

import requests
import requests.adapters
import requests.utils
import urllib3  # whole, before its parts: another thread may be half through importing it
import urllib3.util
from urllib3.connectionpool import HTTPConnectionPool

from muxi_transports.http.wire import split_url
from muxi_transports.pooled.full import BoundPool, FullLease, abandoned, carrying, put_down, take_up, watch_body
from muxi_transports.pooled.wire import bound

__all__ = ["hold_pools"]

#: The methods by which ``HTTPAdapter.send`` gets a pool: the second one in requests 2.32.0 and 2.32.1.
_LOOKUPS = ("get_connection_with_tls_context", "_get_connection")


def hold_pools(adapter: object) -> None:
    """Have an adapter hand out views of its pools while a transport sends. Adapters without pools are left alone."""
    if not isinstance(adapter, requests.adapters.HTTPAdapter):
        return
    for name in _LOOKUPS:
        known = vars(adapter).get(name)
        if hasattr(type(adapter), name) and not isinstance(known, _HeldLookup):
            setattr(adapter, name, _HeldLookup(adapter, name, known))


class _HeldLookup:
    """The lookup of an adapter's pool.

    Args:
        adapter: kept by a weak reference, so that a session that is dropped is freed at once.
        name: of the method.
        known: the adapter's own replacement of that method, if there is one.
    """

    def __init__(self, adapter: requests.adapters.HTTPAdapter, name: str, known: Any) -> None:
        self._adapter = weakref.ref(adapter)
        self._name = name
        self._known = known

    def __call__(self, *args: Any, **options: Any) -> Any:  # Any: the signature of requests
        while abandoned:
            abandoned.popleft()()
        look_up = self._known or getattr(type(self._adapter()), self._name).__get__(self._adapter())
        pool = look_up(*args, **options)
        return pool if carrying.get(None) is None else _view_of(pool)


class _BorrowedPool(BoundPool):
    """A view of a pool of the user's."""

    #: The pool; as long as it lives its idle connections stay open.
    __slots__ = ("_lender",)

    def _put_conn(self, conn: Any) -> None:
        lease = put_down(conn)
        if lease is not None:
            # Digest authentication and caches send more than one request for an answer.
            usable = lease.set_aside() if lease.raw is None else lease.returned()
            if not usable:
                conn.close()
        super()._put_conn(conn)

    def _make_request(  # type: ignore[override]  # the rest is handed on as it comes
        self, conn: Any, method: str, url: str, body: Any = None, **options: Any
    ) -> Any:  # Any: the signature of urllib3
        lease = carrying.get(None)
        if lease is not None and take_up(conn, lease):
            url = _restore_target(url, lease)
            body = watch_body(conn, lease, body)
            if conn.sock is not None:
                bound(conn.sock, lease.attempt)
        return super()._make_request(conn, method, url, body=body, **options)


_made: dict[type[HTTPConnectionPool], type[HTTPConnectionPool]] = {}


def _view_of(pool: Any) -> Any:  # Any: whatever an adapter hands out
    """A view of a pool; what is no pool of urllib3 is left as it is."""
    if not isinstance(pool, HTTPConnectionPool) or isinstance(pool, BoundPool):
        return pool
    kind = type(pool)
    borrowed = _made.get(kind) or _made.setdefault(kind, type(kind.__name__, (_BorrowedPool, kind), {}))
    view: Any = object.__new__(borrowed)
    view.__dict__ = vars(pool)
    view._lender = pool
    return view


def _restore_target(url: str, lease: FullLease) -> str:
    """The request target as it is in the request, where requests and urllib3 have but normalized it.

    Args:
        url: the target, or an absolute URL for a forwarding proxy. One that a session has changed otherwise is kept.
    """
    origin, target = ("", url) if url.startswith("/") else split_url(url)
    exact = lease.target if lease.target.startswith("/") else split_url(lease.target)[1]
    return origin + exact if target != exact and _normalized(target) == _normalized(exact) else url


def _normalized(target: str) -> str:
    uri = urllib3.util.parse_url(requests.utils.requote_uri(f"http://host{target}")).request_uri
    return uri.removesuffix("?")  # requests drops an empty query
