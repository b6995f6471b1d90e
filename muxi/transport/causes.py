"""Errors without secrets: their texts, their causes, and the frames of their tracebacks.

An exception of an HTTP library carries the request that failed, and with it keys. What leaves the SDK carries none:

- texts of the error are masked (:func:`redact_error`),
- a foreign exception behind it is kept if it holds nothing but plain data without a secret, and otherwise replaced by a
  :class:`~muxi.errors.ForeignError` that has its class and its masked message (:func:`clean_causes`); transports put a
  copy without frames behind their errors from the beginning (:func:`copy_cause`),
- locals of the frames of the SDK and its libraries in its traceback are cleared (:mod:`muxi.transport.frames`).
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from muxi.errors import ConnectionError, ErrorAnswer, ForeignError, MuxiError, StreamInterrupted, TimeoutError
from muxi.redact import keys_in, mask_forms, redact_text, secret_forms
from muxi.transport.frames import clear_frames

if TYPE_CHECKING:
    from muxi.transport.contract import Request

__all__ = [
    "clean_cause",
    "clean_causes",
    "copy_cause",
    "hide_secrets",
    "redact_error",
    "seal",
    "sealed",
]

#: Longest text of a foreign exception that is kept, in characters: a longer one is a document, a head or a page.
_MAX_TEXT = 500

#: Levels of causes that are kept, and levels of containers that are searched.
_MAX_CAUSES = 6
_MAX_DEPTH = 4

#: The modules of Python whose errors of the system hold a number and a text, and nothing of a request.
_PYTHON = frozenset({"builtins", "socket", "ssl", "http.client"})


# -- causes ------------------------------------------------------------------------------------------------------------


def copy_cause(causes: Sequence[BaseException]) -> Exception:
    """Return a copy of the innermost of several exceptions, to put behind an error of a transport.

    An exception of an HTTP library may hold the request with its headers, a proxy's credentials, or the bytes of a
    head; the frames of its traceback hold all of these. Of Python's own errors of the system the copy is of the same
    class, of others a :class:`~muxi.errors.ForeignError`.

    Args:
        causes: the exceptions, outermost first.
    """
    error = causes[-1]
    if not isinstance(error, OSError) or type(error).__module__ not in _PYTHON:
        return ForeignError(f"{type(error).__module__}.{type(error).__qualname__}", _message_of(error, ()))
    text = redact_text(error.strerror or str(error))
    copy = type(error)(text) if error.errno is None else type(error)(error.errno, text)
    for name in ("library", "reason", "verify_code", "verify_message"):  # of errors of TLS
        if hasattr(error, name):
            setattr(copy, name, getattr(error, name))
    return copy


def clean_cause(error: BaseException, secrets: tuple[str, ...] = ()) -> BaseException:
    """Return an exception to put behind an error of the SDK, which carries no request and no secret.

    Args:
        error: an exception of any library.
        secrets: values to mask, such as :func:`keys_in` the request's headers.
    """
    return _clean(error, secret_forms(secrets), _MAX_CAUSES)


def clean_causes(error: BaseException, secrets: tuple[str, ...] = ()) -> None:
    """Clean the causes and contexts of an error in place, suppressed ones included."""
    _clean_behind(error, secret_forms(secrets), _MAX_CAUSES)


def _clean(error: BaseException, forms: tuple[str, ...], levels: int) -> BaseException:
    if isinstance(error, MuxiError):
        _redact_error(error, forms)
    elif not _is_plain(error, forms):
        kept = ForeignError(f"{type(error).__module__}.{type(error).__qualname__}", _message_of(error, forms))
        kept.__cause__, kept.__context__ = error.__cause__, error.__context__
        kept.__suppress_context__ = error.__suppress_context__
        error = kept
    _clean_behind(error, forms, levels)
    return error


def _clean_behind(error: BaseException, forms: tuple[str, ...], levels: int) -> None:
    cause, context, suppressed = error.__cause__, error.__context__, error.__suppress_context__
    if cause is not None:
        error.__cause__ = _clean(cause, forms, levels - 1) if levels > 0 else None
    if context is cause:
        error.__context__ = error.__cause__
    elif context is not None:
        error.__context__ = _clean(context, forms, levels - 1) if levels > 0 else None
    error.__suppress_context__ = suppressed
    if isinstance(error, BaseExceptionGroup_) and not isinstance(error, MuxiError):
        inner_errors: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        for inner in inner_errors:
            _clean_behind(inner, forms, levels - 1)


#: Python 3.10 has no exception groups.
BaseExceptionGroup_: Any = getattr(builtins, "BaseExceptionGroup", ())


def _is_plain(error: BaseException, forms: tuple[str, ...]) -> bool:
    """Tell whether an exception holds nothing but plain data without a secret."""
    if isinstance(error, UnicodeError) or hasattr(error, "doc"):
        return False  # it holds the whole text in which something is wrong
    held = [*error.args, *_attributes_of(error)]
    return all(_is_plain_value(value, forms, _MAX_DEPTH) for value in held)


def _attributes_of(error: BaseException) -> Iterator[object]:
    yield from vars(error).values() if hasattr(error, "__dict__") else ()
    for name in ("strerror", "filename", "filename2", "reason", "object"):
        if (value := getattr(error, name, None)) is not None:
            yield value


def _is_plain_value(value: object, forms: tuple[str, ...], depth: int) -> bool:
    if value is None or isinstance(value, bool | int | float | type):
        return True
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        text = str(value)
        return len(text) <= _MAX_TEXT and redact_text(text) == text and not any(form in text for form in forms)
    if isinstance(value, BaseException):
        return depth > 0 and _is_plain(value, forms) and not isinstance(value, MuxiError)
    if depth > 0 and type(value) in (tuple, list, set, frozenset):
        return all(_is_plain_value(item, forms, depth - 1) for item in value)  # type: ignore[attr-defined]
    if depth > 0 and type(value) is dict:
        return all(_is_plain_value(item, forms, depth - 1) for pair in value.items() for item in pair)
    return False


def _message_of(error: BaseException, forms: tuple[str, ...]) -> str:
    if isinstance(error, UnicodeError):
        return ""  # it shows what could not be encoded
    try:
        text = " ".join(str(error).split())
    except Exception:
        return ""
    # A message that quotes objects of the library quotes their requests.
    text = text.partition("<")[0].rstrip(" :,(") if "headers" in text.lower() else text
    text = redact_text(mask_forms(text, forms))
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


# -- texts -------------------------------------------------------------------------------------------------------------


def redact_error(error: MuxiError, secrets: tuple[str, ...]) -> None:
    """Mask secrets in everything that an error holds, in place: code, message, details, answer, and so its pickle."""
    _redact_error(error, secret_forms(secrets))


def _redact_error(error: MuxiError, forms: tuple[str, ...]) -> None:
    state = vars(error)
    if isinstance(error, ConnectionError | StreamInterrupted | TimeoutError):
        # Of a transport, whose text may quote a URL with a secret of its own: one that no call has given.
        state["message"] = redact_text(error.message)
        state["details"] = _redact_texts(error.details, _MAX_DEPTH)
        error.args = tuple(_redact_texts(value, _MAX_DEPTH) for value in error.args)
    if not forms:
        return
    for name, value in list(state.items()):
        if (masked := _mask(value, forms, _MAX_DEPTH * 8)) is not value:
            state[name] = masked
    args = tuple(_mask(value, forms, _MAX_DEPTH) for value in error.args)
    # Also where they are the same: errors of the SDK derive them from their attributes, and repr() shows those given.
    error.args = args


def _redact_texts(value: Any, depth: int) -> Any:
    """Return a value with the texts in it as :func:`redact_text` leaves them."""
    if isinstance(value, str):
        return redact_text(value)
    if depth <= 0:
        return value
    if type(value) in (list, tuple):
        return type(value)(_redact_texts(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return {name: _redact_texts(item, depth - 1) for name, item in value.items()}
    return value


def _mask(value: Any, forms: tuple[str, ...], depth: int) -> Any:
    """Return a value without secrets; the same object if it holds none."""
    if isinstance(value, str | bytes):
        return mask_forms(value, forms)
    if depth <= 0:
        return value
    if isinstance(value, ErrorAnswer):
        headers = tuple((mask_forms(name, forms), mask_forms(text, forms)) for name, text in value.headers)
        return ErrorAnswer(value.status, headers, mask_forms(value.body, forms))
    if type(value) in (list, tuple):
        masked = [_mask(item, forms, depth - 1) for item in value]
        return type(value)(masked) if any(a is not b for a, b in zip(masked, value, strict=True)) else value
    if isinstance(value, dict):
        pairs = {_mask(name, forms, 1): _mask(item, forms, depth - 1) for name, item in value.items()}
        changed = any(pairs.get(name, pairs) is not item for name, item in value.items())
        return pairs if changed else value
    return value


# -- frames ------------------------------------------------------------------------------------------------------------


def hide_secrets(error: MuxiError, secrets: tuple[str, ...]) -> None:
    """Mask an error's texts and clean its causes, before plugins see it."""
    forms = secret_forms(secrets)
    _redact_error(error, forms)
    _clean_behind(error, forms, _MAX_CAUSES)


def seal(error: BaseException, secrets: tuple[str, ...] = ()) -> None:
    """Mask an error's texts, clean its causes, and clear its frames, before it reaches the caller."""
    forms = secret_forms(secrets)
    if isinstance(error, MuxiError):
        _redact_error(error, forms)
    _clean_behind(error, forms, _MAX_CAUSES)
    clear_frames(error)


@contextmanager
def sealed(request: Request) -> Iterator[None]:
    """Seal the errors that leave a transport which is used without a client."""
    try:
        yield
    except MuxiError as error:
        seal(error, keys_in(request.headers.items()))
        raise
