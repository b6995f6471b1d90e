"""The page on troubleshooting has every code that the SDK raises, and every one of the platform, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from muxi import errors
from muxi.streaming.deployments import _ERRORS as DEPLOYMENT_ERRORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)

#: Texts with the form of a code that are none: variables of the environment, keys of WSGI, names of other libraries.
NOT_CODES = {
    *("ADMIN_KEY", "CLIENT_KEY", "OPENAI_API_KEY", "NO_PROXY", "NO_COLOR", "PYTEST_CURRENT_TEST"),
    *("CERT_NONE", "AI_MASK"),
    *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    *(
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_COOKIE",
        "PATH_INFO",
        "REQUEST_METHOD",
        "SERVER_PORT",
        "QUERY_STRING",
        "RAW_URI",
        "REMOTE_ADDR",
        "REQUEST_URI",
    ),
    *("SCRIPT_NAME", "SERVER_NAME", "SERVER_PROTOCOL"),
    *("AF_UNIX", "O_BINARY", "O_CLOEXEC", "O_NONBLOCK"),
    *("TCP_KEEPALIVE", "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL"),
    *("ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "WRONG_VERSION_NUMBER"),
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    "MEMORY_BUFFER_CLEARED",  # the defect of a route that has done its work
}

#: What makes errors, besides the classes of errors.
_MAKERS = {"failed", "_Refusal", "_bad_user", "_answer_error", "Crash", "ApiError", "DraftError", "StepFailed"}
_MADE_OF_STATES = {"JOB_FAILED"}  # an f-string


def test_the_page_has_every_code_and_no_other() -> None:
    codes = {code for path in _sources() for code in codes_of(path)} - NOT_CODES
    codes |= (
        {errors.map_error(status, "", "").code for status in range(400, 600)} | set(DEPLOYMENT_ERRORS) | _MADE_OF_STATES
    )
    assert {code for code, _, _ in ROWS} == codes


def test_each_code_is_there_once_with_a_cause_and_a_cure() -> None:
    listed = [code for code, _, _ in ROWS]
    assert len(listed) > 100
    assert sorted(listed) == sorted(set(listed))
    assert all(len(cause) >= 3 and len(cure) > 5 for _, cause, cure in ROWS)


def test_codes_are_found_in_calls_and_in_texts_of_their_form(tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(
        'LIMIT_HERE = 1\n__all__ = ["LIMIT_HERE"]\ncode = "ONE_CODE"\nraise MuxiError("GONE", "text")\n'
        'raise StepFailed(404, "text", "NotFound", stage)\nprint("TEXT")\ndef fail(code="BARE", other="WORD"): ...\n'
    )
    assert set(codes_of(path)) == {"ONE_CODE", "GONE", "NotFound", "BARE"}


def _sources() -> Iterator[Path]:
    for package in ("muxi", "muxi_transports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"testing", "cli"} & set(path.relative_to(ROOT).parts):
                yield path


def codes_of(path: Path) -> Iterator[str]:
    """Find the codes in a module.

    A code is an argument of what makes errors, or any other text of words in capitals joined by underscores, unless it
    names a constant or a variable of the SDK's environment.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exported = {id(it) for node in ast.walk(tree) if _is_export(node) for it in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _makes_errors(node.func):
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if _text(argument) and re.fullmatch(r"[A-Z]{4,}|[A-Z][a-z]+([A-Z][A-Za-z]*)+", _text(argument)):
                    yield _text(argument)
        if isinstance(node, ast.arguments):
            yield from _defaults_of_code(node)
        if id(node) not in exported and re.fullmatch(r"(?!MUXI_)[A-Z]+(_[A-Z]+)+", _text(node)):
            yield _text(node)


def _defaults_of_code(arguments: ast.arguments) -> Iterator[str]:
    """The text that a parameter named ``code`` has where a caller gives none."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)]
    defaults += [
        (name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value
    ]
    for name, value in defaults:
        if name.arg == "code" and re.fullmatch(r"[A-Z]{4,}", _text(value)):
            yield _text(value)


def _text(node: ast.AST) -> str:
    """The value of a literal text; empty for any other node."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_export(node: ast.AST) -> bool:
    """Tell whether a node lists the names of a module: its ``__all__``, or a table of names loaded late."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "names_of"
    return isinstance(node, ast.Assign) and any(isinstance(it, ast.Name) and it.id == "__all__" for it in node.targets)


def _makes_errors(function: ast.expr) -> bool:
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    return name in _MAKERS or name == "__init__" or isinstance(getattr(errors, name, None), type)
