"""The conformance suite of transports: right ones pass it, wrong ones do not, and its rules are written down."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import re
import subprocess
import sys
import unittest
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from muxi.errors import ConfigurationError
from muxi.testing import transport_suite
from muxi.testing.transport_suite import Handler, Received, Reply, RuleBroken
from muxi.transport import AsyncResponse, AsyncTransport, Request, Transport
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from tests.testing.mutants import ASYNC_MUTANTS, EXAMPLE, MUTANTS, Mutant, run
from tests.testing.pages import DOCS, code_of

RULES = {rule.name: rule for rule in transport_suite.rules()}


# The worked examples pass: the complete one beside this file, and those of the documentation.
_example = run(EXAMPLE)
_short = run(code_of("transports/writing.md", after="## Over an HTTP library", without="register_transport"))


TestExample = _example["TestHttpClient"]


TestAsyncExample = _example["TestThreaded"]


TestShortExample = _short["TestHttpClient"]


TestShortAsyncExample = _short["TestThreaded"]


# -- wrong ones ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """Which rule each wrong transport was seen to break."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.testing.mutants"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    broken: dict[str, str] = json.loads(done.stdout)
    return broken


@pytest.mark.parametrize("mutant", [*MUTANTS, *ASYNC_MUTANTS], ids=lambda mutant: mutant.name)
def test_a_wrong_transport_is_found_out(mutant: Mutant, found: dict[str, str]) -> None:
    assert found[mutant.name] == mutant.rule


class Shielding(AiohttpTransport):
    """Finishes what was cancelled."""

    async def send(self, request: Request) -> AsyncResponse:
        return await asyncio.shield(super().send(request))


@pytest.mark.filterwarnings("ignore")
def test_a_transport_that_finishes_what_was_cancelled_is_found_out() -> None:
    class Suite(transport_suite.AsyncTransportSuite):
        patience = 1.0

        def make_transport(self) -> AsyncTransport:
            return Shielding()

    with pytest.raises(RuleBroken, match="cancelling-before-the-head"):
        Suite().test_cancelling_before_the_head_frees_the_connection()
    gc.collect()


def test_every_rule_is_broken_by_something() -> None:
    broken = {mutant.rule for mutant in (*MUTANTS, *ASYNC_MUTANTS)}
    assert set(RULES) - broken == {"cancelling-before-the-head-frees-the-connection"}  # by the one above


# -- as its users see it ---------------------------------------------------------------------------------------


def test_the_message_says_which_rule_is_broken_and_where_it_is_written() -> None:
    class Silent(transport_suite.InProcessSuite):
        def make_transport(self, handler: Handler) -> Transport:
            return RequestsTransport()

        url = "http://127.0.0.1:1"

    with pytest.raises(RuleBroken) as caught:
        Silent().test_redirects_are_not_followed()

    lines = str(caught.value).splitlines()
    assert lines[0].startswith("the rule 'redirects-are-not-followed' is broken: A redirect is an answer")
    assert lines[1].startswith("  seen: ConnectionError was raised: CONNECTION_REFUSED")
    assert lines[3] == "  written down in: transports/testing.html#redirects-are-not-followed"


def test_a_skip_shows_its_reason() -> None:
    class Without(transport_suite.TransportSuite):
        skips: ClassVar[Mapping[str, str]] = {"connections-are-kept": "it has none"}

        def make_transport(self) -> Transport:
            return RequestsTransport()

    with pytest.raises(unittest.SkipTest, match="connections-are-kept: it has none"):
        Without().test_connections_are_kept()


def test_a_skip_of_no_rule_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'connections-are-kept'"):
        type("Wrong", (transport_suite.TransportSuite,), {"skips": {"connection-is-kept": "mistyped"}})


def test_a_suite_without_a_transport_says_what_is_missing() -> None:
    with pytest.raises(RuleBroken, match="has no make_transport"):
        transport_suite.TransportSuite().test_connections_are_kept()


def test_a_transport_of_the_other_colour_is_told() -> None:
    class Mixed(transport_suite.TransportSuite):
        def make_transport(self) -> Any:
            return AiohttpTransport()

    with pytest.raises(RuleBroken, match=r"returned AiohttpTransport, no muxi\.transport\.Transport"):
        Mixed().test_connections_are_kept()


def test_it_runs_under_unittest() -> None:
    suite = type("Case", (_example["TestHttpClient"], unittest.TestCase), {})
    result = unittest.TestResult()

    suite("test_the_target_is_sent_as_given").run(result)

    assert (result.testsRun, result.failures, result.errors) == (1, [], [])


def test_applications_answer_as_handlers_do() -> None:
    def answer(received: Received) -> Reply:
        return Reply(201, [("X-Name", "Grüße")], iter([received.body, received.target.encode()]), "Made")

    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a",
        "QUERY_STRING": "b=1",
        "wsgi.input": io.BytesIO(b"body "),
    }
    started: list[Any] = []
    pieces = transport_suite.wsgi_application(answer)(environ, lambda *head: started.append(head))
    assert (started, b"".join(pieces)) == ([("201 Made", [("X-Name", "GrÃ¼Ã\x9fe")])], b"body /a?b=1")

    sent: list[Any] = []

    async def scenario() -> None:
        messages = iter([{"type": "http.request", "body": b"body "}])
        silence = asyncio.Event()

        async def receive() -> Any:
            if (message := next(messages, None)) is None:
                await silence.wait()
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/a", "query_string": b"b=1", "headers": []}
        await transport_suite.asgi_application(answer)(scope, receive, send)

    asyncio.run(scenario())
    assert (sent[0]["status"], sent[0]["headers"]) == (201, [(b"x-name", "Grüße".encode())])
    assert b"".join(message["body"] for message in sent[1:]) == b"body /a?b=1"


# -- the documentation -----------------------------------------------------------------------------------------


def test_names_of_rules_are_their_own() -> None:
    assert len(RULES) == len(transport_suite.rules())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_a_sentence_with_a_reason(rule: transport_suite.Rule) -> None:
    assert re.fullmatch(r"[A-Z`].*\.", rule.text)
    assert re.fullmatch(r"[A-Z].*\.", rule.why)


def test_the_page_shows_every_section() -> None:
    text = (DOCS / "transports" / "testing.md").read_text(encoding="utf-8")
    shown = re.findall(r"```\{muxi-transport-rules\} (\w+)", text)
    assert set(shown) == {rule.section for rule in RULES.values()}
