"""What the SDK decides of a whole answer, without a client, a transport or a disk around it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from muxi import FormationClient, MuxiError, ServerClient
from muxi.call import Call
from muxi.exchange.download import describe
from muxi.exchange.incoming import check_status, complete, decode, redirected
from muxi.exchange.life import begin, check_answer
from muxi.exchange.steps import ExchangeResult
from muxi.transport import BufferedResponse
from tests.fuzz.registry import is_drawn

__all__ = ["Decision"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Decision:
    """The decisions about the answers to some calls of a client, in the order in which a call makes them.

    Args:
        client: the client.
        calls: the calls; the input chooses one.
        strict: whether answers that do not fit are errors.
    """

    def __init__(self, client: FormationClient | ServerClient, *calls: Call[Any], strict: bool = False) -> None:
        self._settings = client._core.settings(client._options)
        self._contexts = [begin(call, self._settings) for call in calls]
        self._strict = strict

    def about(self, response: BufferedResponse, data: bytes) -> Callable[[], object]:
        """A function that decides about an answer to the call that the input chooses."""
        return lambda: self._decide(response, data)

    def _decide(self, response: BufferedResponse, data: bytes) -> object:
        context = self._contexts[zlib.crc32(data) % len(self._contexts)]
        try:
            if response.status in _REDIRECTS and response.headers.get("location"):
                return redirected(context.url, response)
            check_status(response, context)
            if context.call.into is not None:
                return describe(response, str(context.call.into), len(response.content))
            result = ExchangeResult(decode(response, context), response, context)
            check_answer(result, self._settings, strict=self._strict)
            return result
        except MuxiError as error:
            if is_drawn(data, 20):  # it takes as long as all the rest: secrets are looked for in many forms
                complete(error, context)
            raise
