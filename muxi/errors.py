"""All errors of the SDK, and their construction from the wire's answers.

The formation nests an error under ``error`` (``{"error": {"code", "message", "data"}}``), the server
has it flat (``{"error", "message", "code"}``); both are read here and nowhere else.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from muxi.redact import redact_text

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionError",
    "ErrorAnswer",
    "ForeignError",
    "JobFailed",
    "ListTruncated",
    "MissingExtraError",
    "MuxiError",
    "NotFoundError",
    "PluginError",
    "RateLimitError",
    "ResultForgotten",
    "ServerError",
    "StreamInterrupted",
    "TimeoutError",
    "TurnFailed",
    "ValidationError",
    "error_from_answer",
    "map_error",
]


class ErrorAnswer(NamedTuple):
    """The answer behind an error, as it was received."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class MuxiError(Exception):
    """The base of everything the SDK raises.

    Args:
        code: what went wrong, in the wire's word (``AGENT_NOT_FOUND``) or the SDK's (``CONNECT_TIMEOUT``).
        message: the same for people.
        status_code: the HTTP status, 0 where there was no answer.
        details: whatever else is known, such as ``validation_errors``.
        request_id: the id under which the platform knows the request.
    """

    #: The call that failed, as ``chat (POST /chat)``; None outside of a call.
    call: str | None = None
    #: How often the request was sent, or tried to be.
    attempts: int = 0
    #: Seconds to wait before trying again, where the answer said so.
    retry_after: float | None = None
    #: The answer as it was received; None where there was none.
    answer: ErrorAnswer | None = None
    #: Whether the platform itself said this, and not something between it and the client.
    from_platform: bool = False
    #: The stage in which a deployment failed, such as ``health_check``; None outside of deployment streams.
    stage: str | None = None
    #: What had arrived of a stream before this: for a chat a message with ``content`` and ``metadata``.
    partial: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        code: str,
        message: str,
        status_code: int = 0,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status_code = status_code
        self.details: dict[str, Any] = dict(details or {})
        self.request_id = request_id

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}" if self.code else self.message
        if fields := _wrong_fields(self.details.get("validation_errors"), self.message):
            text = f"{text} ({fields})"
        facts = [self.call] if self.call else []
        if self.status_code:
            facts.append(f"HTTP {self.status_code}")
        if self.request_id:
            facts.append(f"request {self.request_id}")
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        # A peer's text may have half of a surrogate pair in it, which no output can encode.
        return _printable(f"{text} [{', '.join(facts)}]" if facts else text)

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments that make the error anew, as ``type(error)(*error.args)``, each of which is plain data.

        Queues that carry errors as JSON (Celery's) do so.
        """
        for kind in type(self).__mro__:
            if "_arguments" in vars(kind):
                return self._arguments()
            if "__init__" in vars(kind):
                break  # of a user's class, of which only the arguments are known that it was given
        given: tuple[Any, ...] = _ARGS.__get__(self, type(self))
        return given

    @args.setter
    # A property in place of the attribute, so that arguments and attributes say the same.
    def args(self, value: tuple[Any, ...]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        _ARGS.__set__(self, value)

    def _arguments(self) -> tuple[Any, ...]:
        """The positional arguments of the constructor, without the details."""
        return self.code, self.message, self.status_code, None, self.request_id

    def __reduce__(self) -> tuple[Any, ...]:
        # The constructors of subclasses differ; the state is what has to survive, not the call.
        return _restore, (type(self), self.args, dict(self.__dict__), plain_cause(self.__cause__))


#: The attribute of all exceptions, behind :attr:`MuxiError.args`.
_ARGS: Any = vars(BaseException)["args"]

#: Causes of causes that are kept.
_MOST_CAUSES = 5


class ForeignError(Exception):
    """An exception of another library, reduced to its class and its message.

    Args:
        kind: qualified name of its class, such as ``urllib3.exceptions.NewConnectionError``.
        message: its message, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)

    @property
    def kind(self) -> str:
        """The qualified name of its class."""
        return str(self.args[0])

    @property
    def message(self) -> str:
        """Its message, without secrets."""
        return str(self.args[1])

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, {}, self.__cause__)


def plain_cause(cause: BaseException | None, depth: int = 0) -> BaseException | None:
    """Return a cause as it may be stored: without requests and responses, which have keys in them.

    Args:
        cause: what an error was raised from; one of the SDK is kept.
        depth: how many causes are above it.
    """
    if cause is None or depth == _MOST_CAUSES or isinstance(cause, MuxiError):
        return cause if depth < _MOST_CAUSES else None
    plain: BaseException
    if isinstance(cause, ForeignError):
        plain = ForeignError(cause.kind, redact_text(cause.message))
    elif isinstance(cause, OSError) and type(cause).__module__ == "builtins" and isinstance(cause.errno, int):
        plain = OSError(cause.errno, redact_text(str(cause.strerror)), cause.filename)
    else:
        plain = ForeignError(f"{type(cause).__module__}.{type(cause).__qualname__}", redact_text(str(cause)))
    plain.__cause__ = plain_cause(cause.__cause__, depth + 1)
    return plain


def _printable(text: str) -> str:
    """Return ``text`` with what UTF-8 cannot encode escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _wrong_fields(problems: object, message: str) -> str:
    """Return the invalid fields of a request, unless the message names them."""
    if not isinstance(problems, list):
        return ""
    found = [problem for problem in problems if isinstance(problem, dict) and problem.get("msg")]
    lines = [f"{problem.get('field') or 'the body'}: {problem['msg']}" for problem in found]
    return "; ".join(line for line in lines if line not in message and line.partition(": ")[2] not in message)


def _restore(
    cls: type[BaseException], args: tuple[object, ...], state: dict[str, object], cause: BaseException | None = None
) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


class AuthenticationError(MuxiError):
    """The key is missing, wrong, or of the other kind (HTTP 401)."""


class AuthorizationError(MuxiError):
    """The key is right and does not suffice (HTTP 403)."""


class NotFoundError(MuxiError):
    """There is no such thing, or no longer (HTTP 404, 410)."""


class ResultForgotten(NotFoundError):
    """Work in the background was seen running and is unknown now; its result is lost.

    Finished work is kept for five minutes, and none over a restart of the formation.
    """


class JobFailed(MuxiError):
    """Work in the background, such as ingesting memories, failed or was cancelled; ``details`` has its last status."""


class ListTruncated(MuxiError):
    """The list has more items than the wire can return. The items before this error are correct."""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__("LIST_TRUNCATED", message, 0, details)

    def _arguments(self) -> tuple[Any, ...]:
        return (self.message,)


class ConflictError(MuxiError):
    """The state of the resource does not allow this (HTTP 409, and 400 ``OPERATION_FAILED``)."""


class ValidationError(MuxiError):
    """Something in the request is wrong (HTTP 400, 413, 422, or found before sending).

    ``details["validation_errors"]`` lists the fields as ``{"field", "msg", …}``.
    """


class RateLimitError(MuxiError):
    """Too many requests (HTTP 429); ``retry_after`` has the seconds to wait where the answer says so."""

    def __init__(
        self,
        message: str,
        status_code: int = 429,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        code: str = "RATE_LIMITED",
    ) -> None:
        super().__init__(code, message, status_code, details, request_id)
        self.retry_after = retry_after

    def _arguments(self) -> tuple[Any, ...]:
        return self.message, self.status_code, self.retry_after, None, self.request_id, self.code


class ServerError(MuxiError):
    """The platform failed (HTTP 5xx, or an ``error`` event in a stream that is not a chat)."""


class ConfigurationError(MuxiError, ValueError):  # pyright: ignore[reportIncompatibleVariableOverride]  # args
    """A setting is missing, contradictory or invalid; the message names the argument and the variable."""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__("CONFIGURATION", message, 0, details)

    def _arguments(self) -> tuple[Any, ...]:
        return (self.message,)


class MissingExtraError(ConfigurationError, ImportError):  # pyright: ignore[reportIncompatibleVariableOverride]  # args
    """A package of an extra is not installed; the message names the extra.

    It is an ``ImportError`` too, which tools that look at all names of all modules (freezegun, pkgutil) pass over.
    """


class PluginError(MuxiError):
    """A plugin could not be registered, or failed where its failure decides the call.

    Args:
        plugin: the plugin's name.
        hook: the hook it was in.
    """

    def __init__(self, message: str, plugin: str, hook: str = "") -> None:
        super().__init__("PLUGIN_ERROR", message, 0, {"plugin": plugin, "hook": hook})
        self.plugin = plugin
        self.hook = hook

    def _arguments(self) -> tuple[Any, ...]:
        return self.message, self.plugin, self.hook


class ConnectionError(MuxiError, builtins.ConnectionError):  # pyright: ignore[reportIncompatibleVariableOverride]  # args
    """There is no answer because the connection failed; also a built-in ``ConnectionError``.

    ``connected`` is false where no connection was made, so that nothing can have been received. ``permanent`` is true
    where trying again cannot help, until something is changed: a certificate that is not trusted, a
    proxy that does not know the user. Such a call is not repeated.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status_code: int = 0,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        connected: bool = True,
        permanent: bool = False,
    ) -> None:
        super().__init__(code, message, status_code, details, request_id)
        self.connected = connected
        self.permanent = permanent

    def _arguments(self) -> tuple[Any, ...]:
        return (*super()._arguments(), self.connected, self.permanent)


class TimeoutError(MuxiError, builtins.TimeoutError):  # pyright: ignore[reportIncompatibleVariableOverride]  # args
    """A time limit passed; also a built-in ``TimeoutError``.

    ``bound`` names the limit (``connect``, ``read``, ``timeout``, ``deadline``, ``idle_timeout``,
    ``stall_timeout``); ``connected`` is false where no connection was made.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status_code: int = 0,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        bound: str = "timeout",
        connected: bool = True,
    ) -> None:
        super().__init__(code, message, status_code, details, request_id)
        self.bound = bound
        self.connected = connected

    def _arguments(self) -> tuple[Any, ...]:
        return (*super()._arguments(), self.bound, self.connected)


class StreamInterrupted(MuxiError):
    """A stream ended before its terminator.

    Args:
        partial: what had arrived: for a chat a message with ``content`` and ``metadata``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status_code: int = 0,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        *,
        partial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, status_code, details, request_id)
        self.partial: Mapping[str, Any] = dict(partial or {})

    @property
    def text(self) -> str:
        """The text that had arrived."""
        return str(self.partial.get("content") or "")


class TurnFailed(StreamInterrupted):
    """The formation answered, and the answer is that the turn failed.

    Such turns come with HTTP 200: ``metadata.error_code``, a ``completed`` event with ``status: "error"``,
    an ``event: error``, or a stream that is done without having completed.
    """


_BY_STATUS: dict[int, type[MuxiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    413: ValidationError,
    422: ValidationError,
}

_DEFAULT_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    410: "GONE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
}


def map_error(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> MuxiError:
    """Return the error for a status: the status decides the class, the code is kept."""
    code = code or _DEFAULT_CODES.get(status, "SERVER_ERROR" if status >= 500 else "ERROR")
    error: MuxiError
    if status == 429:
        error = RateLimitError(message or "Too many requests", status, retry_after, details, request_id, code=code)
    elif status == 408:
        error = TimeoutError(code, message, status, details, request_id)
    else:
        cls = _BY_STATUS.get(status, ServerError if status >= 500 else MuxiError)
        if code == "OPERATION_FAILED" and status == 400:
            cls = ConflictError
        error = cls(code, message, status, details, request_id)
    error.retry_after = retry_after
    return error


def error_from_answer(
    status: int,
    reason: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    retry_after: float | None = None,
) -> MuxiError:
    """Return the error for an answer with an error status. It keeps the answer."""
    payload = _json_object(body)
    code, message, details, request_id = _read_payload(payload)
    if not message:
        message = _excerpt(body) if payload is None else ""
    error = map_error(status, code, message or reason or f"HTTP {status}", details, retry_after, request_id)
    error.answer = ErrorAnswer(status, headers, body)
    error.from_platform = payload is not None and _is_envelope(payload)
    return error


def _is_envelope(payload: dict[str, Any]) -> bool:
    """Return whether a payload is one of the platform's error shapes; gateways send ``error`` alone too."""
    error = payload.get("error")
    return isinstance(error, dict) or (isinstance(error, str) and ("code" in payload or "success" in payload))


def _read_payload(payload: dict[str, Any] | None) -> tuple[str, str, dict[str, Any], str | None]:
    """Return code, message, details and request id of either error shape."""
    if payload is None:
        return "", "", {}, None
    request = payload.get("request")
    request_id = request.get("id") if isinstance(request, dict) else None
    nested = payload.get("error")
    if isinstance(nested, dict):
        data = nested.get("data")
        details = data if isinstance(data, dict) else {} if data is None else {"data": data}
        return str(nested.get("code") or ""), str(nested.get("message") or ""), details, request_id
    # The server's shape: `error` is a status text, a phrase or a code of one word, `code` the status again.
    phrase = nested if isinstance(nested, str) else ""
    message = payload.get("message")
    details = {key: value for key, value in payload.items() if key not in ("error", "message", "code", "success")}
    if not isinstance(message, str) or not message:
        return "", phrase, details, request_id
    return _code_of_phrase(phrase), message, details, request_id


def _code_of_phrase(phrase: str) -> str:
    """Return ``Not Found`` as ``NOT_FOUND``; a word such as ``DraftNotFound`` is a code already."""
    if " " not in phrase and not phrase.islower():
        return phrase.upper() if phrase.istitle() else phrase
    return re.sub(r"[^A-Z0-9]+", "_", phrase.upper()).strip("_")


def _json_object(body: bytes) -> dict[str, Any] | None:
    import json

    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _excerpt(body: bytes, length: int = 200) -> str:
    """Return the beginning of an answer that is not JSON, in one line."""
    text = " ".join(body[: 4 * length].decode("utf-8", "replace").split())
    return text if len(text) <= length else text[:length] + "…"
