"""An audit trail: each call with its user and its outcome, in a file in which tampering can be detected."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Coroutine
from datetime import datetime, timezone
from typing import Any, Literal

from muxi.call import Call
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError, PluginError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_name
from muxi.plugins.chain import Chain, Verdict, verify
from muxi.redact import redact_text, show_value
from muxi.transport import Request
from muxi.transport.arguments import check_arguments

__all__ = ["AuditTrail", "Verdict", "verify"]

logger: logging.Logger = logging.getLogger("muxi.plugins")


@check_arguments()
class AuditTrail:
    """``muxi.audit``: writes a line to a file before a call is sent, and another after it has ended.

    Each line has the SHA-256 over its content, which has the hash of the line before: :func:`verify` (or
    ``muxi-client audit verify FILE``) finds what is missing, altered or out of order. Any number of clients, threads
    and processes may write to one file, which is locked for each line. A line has user, operation, route, method and
    kind of key, and at the end status, error code, request id, attempts and seconds; never a body, a key, a path's
    ids or a query.

    Args:
        path: the file, whose chain is continued. A new file is begun after one was moved away.
        key: makes the hashes HMACs, so that lines cannot be forged without it.
        fsync: whether each line is on the disk before the call goes on.
        on_failure: ``"raise"`` refuses calls whose first line cannot be written, before anything is sent; ``"log"``
            logs the failure and sends them.
        name: name of the plugin, for a client with several.

    Raises:
        ConfigurationError: an argument is invalid.

    A refused call raises a :class:`muxi.PluginError`. A last line that cannot be written is
    logged instead: the call is done, and only its first line is in the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | bytes | None = None,
        fsync: bool = False,
        on_failure: Literal["raise", "log"] = "raise",
        name: str = "muxi.audit",
    ) -> None:
        given: tuple[object, object] = (path, key)
        if not isinstance(given[0], str | os.PathLike) or not os.fspath(given[0]):
            raise ConfigurationError(f"path= takes the path of a file, got {show_value(path)}")
        if os.path.isdir(path):
            raise ConfigurationError(f"path= takes the path of a file, and {os.fspath(path)!r} is a folder")
        if key is not None and (not isinstance(given[1], str | bytes) or not key):
            raise ConfigurationError("key= takes a text or bytes that are not empty")
        if on_failure not in ("raise", "log"):
            raise ConfigurationError(f"on_failure= is 'raise' or 'log', got {show_value(on_failure)}")
        check_name(name)
        self.name: str = name
        self._chain = Chain(
            os.fspath(path), key=key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key, fsync=fsync
        )
        self._raises = on_failure == "raise"

    @property
    def path(self) -> str:
        """The file."""
        return self._chain.path

    @property
    def head(self) -> str:
        """Hash of the last line that this instance has written, to be stored elsewhere; empty before the first."""
        return self._chain.head

    def __repr__(self) -> str:
        return f"AuditTrail({self.path!r})"

    # Before all other plugins: even a request to a vault must not precede the line.
    @hookimpl(tryfirst=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        if self.name in context.state:
            return None
        call = context.call
        context.state[self.name] = uuid.uuid4().hex
        return self._write(self._describe(call, context, "started"), context, raises=self._raises)

    @hookimpl(trylast=True)
    def muxi_call_finished(
        self, call: Call[object], outcome: Outcome, context: Context
    ) -> Coroutine[Any, Any, None] | None:
        context.state.setdefault(self.name, uuid.uuid4().hex)
        return self._write(
            {**self._describe(call, context, "finished"), **_describe_end(outcome, context)}, context, raises=False
        )

    def _describe(self, call: Call[object], context: Context, event: str) -> dict[str, Any]:
        now = datetime.fromtimestamp(context.clock.time(), timezone.utc)
        return {
            "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": event,
            "call": context.state[self.name],
            "user": call.user_id,
            "operation": call.operation or None,
            "method": call.method,
            "route": call.path,
            "key": call.key.value,
            "address": context.address.base_url,
        }

    def _write(self, record: dict[str, Any], context: Context, *, raises: bool) -> Coroutine[Any, Any, None] | None:
        if context.asynchronous:
            return self._write_async(record, raises)
        self._append(record, raises)
        return None

    async def _write_async(self, record: dict[str, Any], raises: bool) -> None:
        import asyncio

        # A disk, or another process's lock, may be slow.
        try:
            await asyncio.to_thread(self._append, record, raises)
        except RuntimeError:  # the loop is shutting down and has no threads any more
            self._append(record, raises)

    def _append(self, record: dict[str, Any], raises: bool) -> None:
        try:
            self._chain.append(record)
        except (OSError, ValueError) as error:
            problem = f"the audit trail {self.path} cannot be written: {error}"
            if raises:
                raise PluginError(
                    f"{problem}; nothing has been sent", plugin=self.name, hook="muxi_prepare_request"
                ) from error
            logger.error("%s; the line is lost: %s", problem, record)


def _describe_end(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Describe the outcome of a call: class, code and status of its error, and never the message."""
    error, response = outcome.error, outcome.response
    known = error if isinstance(error, MuxiError) else None
    metadata = getattr(outcome.result, "meta", None)
    status = known.status_code if known is not None else response.status if response is not None else 0
    return {
        "outcome": "ok" if error is None else type(error).__name__,
        "status": status or None,
        "code": redact_text(known.code) if known is not None else None,
        "request_id": (known.request_id if known is not None else getattr(metadata, "request_id", None))
        or context.request_id,
        "attempts": context.attempt,
        "seconds": round(context.elapsed, 3),
    }
