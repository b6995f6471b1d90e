"""The redaction of personal data in outgoing texts, by a function of the caller's."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
from typing import Any, ClassVar, TypeAlias

from muxi.context import Context
from muxi.errors import ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_name
from muxi.redact import show_value
from muxi.transport import BytesBody, Request
from muxi.transport.arguments import check_arguments

__all__ = ["Redaction", "mask_emails_and_numbers"]

Redact: TypeAlias = Callable[[str], str] | Callable[[str], Awaitable[str]]

#: Names below a content field whose values are not content: ids, times and kinds.
_NO_CONTENT = re.compile(r"(.*_)?(ids?|timestamp)|type|role", re.IGNORECASE).fullmatch

#: Yields each text, and receives its redaction.
_Texts: TypeAlias = Generator[str, str, Any]


class Redaction:
    """``muxi.redaction``: passes each text of a request's content through a function before it is sent.

    The content is everything under the names of ``fields`` in a JSON body, at any depth; below such a name every text
    counts, except ids (``id``, ``…_id``), kinds (``type``, ``role``), times (``…timestamp``) and files.
    Query, path, headers, user ids, and bodies that the SDK does not build as JSON (uploads, signed batches) are sent
    unchanged. The caller's own objects are not modified. Clients and threads may share one instance.

    Args:
        redact: takes a text and returns its replacement. On an async client it may be a coroutine function. If it
            raises, the call fails and nothing is sent. It is called once for all attempts of a call.
        fields: names instead of :attr:`FIELDS`.
        name: name of the plugin, for a client with several.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    #: Names in messages, restored messages, memories, triggers' data, answers to widgets, and notifications.
    FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"content", "data", "detail", "message", "metadata", "text", "title", "ui_response"}
    )

    def __init__(self, redact: Redact, *, fields: Collection[str] | None = None, name: str = "muxi.redaction") -> None:
        if not callable(redact):
            raise ConfigurationError(f"redact= takes a function of a text, got {show_value(redact)}")
        chosen: object = self.FIELDS if fields is None else fields
        if isinstance(chosen, str) or not isinstance(chosen, Collection):
            raise ConfigurationError(f"fields= takes a collection of names, got {show_value(chosen)}")
        if not chosen or not all(isinstance(field, str) and field for field in chosen):
            raise ConfigurationError(
                f"fields= takes names that are not empty, and at least one, got {show_value(chosen)}"
            )
        check_name(name)
        self.name: str = name
        self._redact = redact
        self._fields: frozenset[str] = frozenset(chosen)

    # After other plugins that change the body, and before the signature.
    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        body = request.body
        if context.call.content is not None or not isinstance(body, BytesBody):
            return None
        known: tuple[bytes, BytesBody] | None = context.state.get(self.name)
        if known is not None and known[0] == body.content:
            # A repeated idempotency key must come with the same content.
            request.body = known[1]
            return None
        texts = self._texts(json.loads(body.content), inside=False)
        if context.asynchronous:
            return self._replace_async(request, body, texts, context)
        try:
            text = next(texts)
            while True:
                text = texts.send(self._require_text(self._redact(text)))
        except StopIteration as done:
            self._put(request, body, done.value, context)
        return None

    async def _replace_async(self, request: Request, body: BytesBody, texts: _Texts, context: Context) -> None:
        try:
            text = next(texts)
            while True:
                found = self._redact(text)
                text = texts.send(self._require_text(await found if inspect.isawaitable(found) else found))
        except StopIteration as done:
            self._put(request, body, done.value, context)

    def _put(self, request: Request, body: BytesBody, value: Any, context: Context) -> None:
        redacted = BytesBody(context.call.payload(value))
        context.state[self.name] = (body.content, redacted)
        request.body = redacted

    def _require_text(self, found: object) -> str:
        if isinstance(found, str):
            return found
        if inspect.iscoroutine(found):
            found.close()
        if inspect.isawaitable(found):
            raise ConfigurationError(
                "redact= is an async function, which a sync client cannot await; give a function that returns the "
                "text, or use the async client"
            )
        raise ConfigurationError(f"the function given as redact= returned {type(found).__name__} instead of a text")

    def _texts(self, value: Any, *, inside: bool) -> _Texts:
        """Copy a JSON value, with each text of the content replaced by what is sent in."""
        if isinstance(value, str):
            return (yield value) if inside else value
        if isinstance(value, list):
            copied = []
            for item in value:
                copied.append((yield from self._texts(item, inside=inside)))
            return copied
        if isinstance(value, dict):
            changed = {}
            for name, item in value.items():
                chosen = name in self._fields
                if name.lower() == "files" and not chosen:
                    changed[name] = item
                    continue
                below = chosen or (inside and not _NO_CONTENT(name))
                changed[name] = yield from self._texts(item, inside=below)
            return changed
        return value


# From the beginning of a word only: a search from each of its characters would take time in proportion to its square.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# Seven digits or more with separators (telephone, card, account numbers); letters only as in an IBAN.
_NUMBER = re.compile(r"(?<![\w.])(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}|[+(]?\d(?:[ ()./-]{0,2}\d){6,})(?!\w)")


@check_arguments()
def mask_emails_and_numbers(text: str) -> str:
    """Replace e-mail addresses by ``[email]``, and numbers of seven digits or more by ``[number]``.

    It recognizes forms, not meaning: telephone, card and bank account numbers, and dates with a time too; not names,
    postal addresses or short numbers. For those give :class:`Redaction` a recogniser of your own.
    """
    return _NUMBER.sub("[number]", _EMAIL.sub("[email]", text))
