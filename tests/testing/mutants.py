"""Transports that are wrong on purpose: each breaks rules of the suite, and the suite has to notice.

They are the worked example beside this file, and that of the documentation for async clients, with one thing changed in
it. Run as a program this prints as JSON which rule each was seen to break: a process of its own, because what is wrong
on purpose leaves sockets open too, and several at once, because most of the time the suite waits for what does not
happen.
"""

from __future__ import annotations

import gc
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from muxi.testing import transport_suite
from muxi.testing.transport_suite import RuleBroken
from tests.testing.pages import code_of

EXAMPLE = (Path(__file__).parent / "worked_example.py").read_text(encoding="utf-8") + code_of(
    "transports/writing.md", after="## A library that blocks, for async clients", without="no block has this"
)


class Mutant(NamedTuple):
    """A change of the example, and a rule that it breaks."""

    name: str
    old: str
    new: str
    rule: str
    #: A second change, where one is not enough.
    also: tuple[str, str] = ("", "")

    @property
    def source(self) -> str:
        """The program with the change in it."""
        source = EXAMPLE
        for old, new in ((self.old, self.new), self.also):
            if old not in source:
                raise LookupError(f"the example has no {old!r} any more, which {self.name!r} changes")
            source = source.replace(old, new) if old else source
        return source


_SEND = "        origin, head = _prepared(request)\n"
_RESPONSE = "        response = HttpClientResponse(self, origin, line, raw)\n"
_HEADERS = '    headers.setdefault("Host", host)\n'

MUTANTS = [
    # -- requests
    Mutant(
        "both colours",
        "class HttpClientTransport(Transport):",
        "from muxi.transport import AsyncTransport\nclass HttpClientTransport(Transport, AsyncTransport):",
        "it-has-one-colour",
    ),
    Mutant("one method", 'f"{request.method} {target', 'f"POST {target', "method-path-and-query-arrive"),
    Mutant(
        "ASCII only",
        '"\\r\\n".join([*lines, "", ""]).encode()',
        '"\\r\\n".join([*lines, "", ""]).encode("ascii", "replace")',
        "request-headers-arrive",
    ),
    Mutant(
        "last value only",
        '{headers[name]}" for name',
        '{headers.get_all(name)[-1]}" for name',
        "request-headers-arrive",
    ),
    Mutant(
        "a header of its own", _HEADERS, _HEADERS + '    headers.setdefault("Accept", "*/*")\n', "no-header-is-invented"
    ),
    Mutant("its own user agent", _HEADERS, _HEADERS + '    headers["User-Agent"] = "me"\n', "given-headers-win"),
    Mutant(
        "changes the request",
        "headers = request.headers.copy()",
        "headers = request.headers",
        "the-request-is-left-as-it-is",
    ),
    Mutant(
        "reads without a limit",
        _RESPONSE,
        _RESPONSE + "        read = response.read\n        response.read = lambda limit=None: read()\n",
        "a-body-is-read-up-to-a-limit",
    ),
    Mutant(
        "keeps cookies",
        _RESPONSE,
        _RESPONSE + '        self._cookie = response.headers["set-cookie"]\n',
        "cookies-are-not-kept",
        (_SEND, '        request.headers["Cookie"] = getattr(self, "_cookie", "")\n' + _SEND),
    ),
    Mutant(
        "decodes the target",
        "found[1], found[2], found[3]\n",
        "found[1], found[2], unquote(found[3])\n",
        "the-target-is-sent-as-given",
    ),
    Mutant("a host without its port", '"Host", host)', '"Host", host.partition(":")[0])', "the-host-is-named-once"),
    Mutant(
        "ignores the user in a URL", "    if userinfo:\n", "    if False:\n", "userinfo-becomes-basic-authentication"
    ),
    Mutant(
        "reads .netrc",
        _HEADERS,
        _HEADERS
        + "    import netrc, os\n"
        + '    if os.environ.get("NETRC"):\n'
        + '        headers["Authorization"] = netrc.netrc(os.environ["NETRC"]).authenticators("127.0.0.1")[2]\n',
        "netrc-is-not-read",
    ),
    Mutant("sends any URL", 're.search(r"[^\\x21-\\x7e]", request.url) or', "", "what-is-no-url-is-refused"),
    Mutant(
        "sends any method", 'not re.fullmatch(r"[A-Za-z-]+", request.method)', "False", "what-is-no-method-is-refused"
    ),
    # -- bodies
    Mutant(
        "no body for DELETE",
        "        for piece in _measured(body):",
        '        for piece in _measured(None if head.startswith(b"DELETE") else body):',
        "bodies-of-every-kind-arrive",
    ),
    Mutant(
        "no length",
        "    if length is not None and sent != length:\n",
        "    if False:\n",
        "a-body-is-held-to-its-length",
    ),
    Mutant(
        "wraps the body's errors",
        "            complete = self._send(line, head, request.body)",
        "            with attempt.translated():\n                complete = self._send(line, head, request.body)",
        "what-a-body-raises-comes-out",
    ),
    Mutant(
        "always in chunks",
        "chunked = body is not None and body.length is None",
        "chunked = body is not None",
        "bodies-are-framed-by-what-is-known",
    ),
    Mutant(
        "believes the headers",
        '    for name in ("Content-Length", "Transfer-Encoding"):',
        '    for name in ("Content-Length",):',
        "framing-is-truthful",
    ),
    Mutant(
        "collects the body",
        "        for piece in _measured(body):",
        "        for piece in list(_measured(body)):",
        "bodies-are-sent-while-they-are-made",
    ),
    Mutant(
        "reads a file whole",
        "    pieces = iter(()) if body is None else iter(body.chunks())",
        "    pieces = iter(()) if body is None else iter([b''.join(body.chunks())])",
        "uploads-take-little-memory",
    ),
    Mutant(
        "waits with the answer",
        "        except (BrokenPipeError, ConnectionResetError):\n",
        "        except ZeroDivisionError:\n",
        "an-early-answer-counts",
    ),
    Mutant(
        "sends a megabyte at most",
        "        if piece:\n            yield piece\n",
        "        if piece:\n            yield piece[:1_000_000]\n",
        "a-large-body-arrives",
    ),
    # -- answers
    Mutant("loses what is much", "return data or None", "return data[:60000] or None", "a-large-answer-arrives"),
    Mutant(
        "raises for a status",
        _RESPONSE,
        _RESPONSE + '        if raw.status >= 400:\n            raise ConnectionError("HTTP", "failed")\n',
        "status-headers-and-body-arrive",
    ),
    Mutant(
        "loses duplicates",
        "for name, value in raw.headers.items():",
        "for name, value in dict(raw.headers.items()).items():",
        "duplicates-of-headers-are-kept",
    ),
    Mutant(
        "joins duplicates",
        "            headers.add(name, data.decode())",
        "            headers[name] = headers.get(name, '') + data.decode()",
        "duplicates-of-headers-are-kept",
    ),
    Mutant(
        "no UTF-8",
        "            headers.add(name, data.decode())",
        '            headers.add(name, data.decode("latin-1"))',
        "header-values-beyond-ascii-arrive",
    ),
    Mutant(
        "follows redirects",
        _RESPONSE,
        _RESPONSE
        + '        if raw.status in (301, 302, 303, 307, 308) and "Location" in response.headers:\n'
        + "            base = request.url[: request.url.index('/', 8)]\n"
        + '            return self.send(Request("GET", base + response.headers["Location"]))\n',
        "redirects-are-not-followed",
    ),
    Mutant(
        "retries",
        _RESPONSE,
        _RESPONSE
        + '        if raw.status == 503 and "X-Again" not in request.headers:\n'
        + '            request.headers["X-Again"] = "1"\n            return self.send(request)\n',
        "nothing-is-retried",
    ),
    Mutant(
        "expects a body of HEAD",
        "HTTPResponse(cast(socket.socket, line), method=method)",
        "HTTPResponse(cast(socket.socket, line))",
        "answers-without-a-body-are-empty",
    ),
    Mutant(
        "hands on empty chunks",
        "            if data is None:\n",
        '            if data is None:\n                yield b""\n',
        "empty-chunks-are-not-handed-on",
    ),
    Mutant("does not unpack", "if packed else None", "if False else None", "compressed-bodies-are-unpacked"),
    Mutant("loses the reason", "reason=raw.reason", "reason=''", "the-reason-arrives"),
    Mutant(
        "takes 103 for the answer",
        "        if raw.status >= 200:\n",
        "        if raw.status >= 101:\n",
        "interim-answers-are-passed-over",
    ),
    Mutant(
        "does not know chunks",
        "        raw.begin()\n",
        "        raw.begin()\n        raw.chunked = False\n",
        "every-framing-is-understood",
    ),
    Mutant(
        "reads a body of HEAD",
        "HTTPResponse(cast(socket.socket, line), method=method)",
        "HTTPResponse(cast(socket.socket, line))",
        "announced-bodies-of-head-are-not-awaited",
    ),
    # -- streams
    Mutant(
        "waits for the body to begin",
        "        if raw.status >= 200:\n            return raw\n",
        "        if raw.status >= 200:\n            _ = raw.fp and raw.fp.peek(1)\n            return raw\n",
        "the-head-is-handed-over-before-the-body",
    ),
    Mutant(
        "reads all before it hands on",
        "self._raw.read1(65536)",
        "self._raw.read()",
        "pieces-are-handed-on-as-they-arrive",
    ),
    Mutant(
        "reads whole chunks",
        "self._raw.read1(65536)",
        "self._raw.read1(65536) if self._raw.chunked else self._raw.read()",
        "bytes-are-handed-on-in-the-middle-of-a-chunk",
    ),
    Mutant(
        "waits for ten bytes",
        "self._raw.read1(65536)",
        "self._raw.read(10)",
        "bytes-are-handed-on-in-the-middle-of-a-chunk",
    ),
    Mutant(
        "unpacks at the end",
        "            return self._unpack.decompress(data)",
        "            self._all = getattr(self, '_all', b'') + data\n            return b''",
        "compressed-streams-are-unpacked-as-they-arrive",
    ),
    Mutant(
        "five streams at a time",
        _SEND,
        "        until = time.monotonic() + 0.3\n"
        "        while len(self._open) > 4 and time.monotonic() < until:\n            time.sleep(0.01)\n" + _SEND,
        "many-streams-are-open-at-once",
    ),
    Mutant(
        "forgets whose answer it is",
        "            line = self._kept(origin) or",
        "            line = next(iter(self._idle.get(origin, [])), None) or",
        "answers-are-not-mixed-up",
    ),
    Mutant(
        "reads it all into memory",
        "        data = self._raw.read1(65536)\n",
        "        data = self._raw.read()\n",
        "downloads-take-little-memory",
    ),
    # -- failures
    Mutant(
        "always connected", 'connected = self.stage != "connect"', "connected = True", "no-connection-is-told-as-such"
    ),
    Mutant("never connected", 'connected = self.stage != "connect"', "connected = False", "no-answer-is-told-as-such"),
    Mutant(
        "a library's own errors",
        "            raise self.failure(error) from error",
        "            raise",
        "no-connection-is-told-as-such",
    ),
    Mutant("half a head is enough", 'and self.attempt.stage == "head"', "and False", "no-answer-is-told-as-such"),
    Mutant("garbage is a lost connection", 'code = "INVALID_RESPONSE"', "pass", "garbage-is-told-as-such"),
    Mutant(
        "swallows a truncated length",
        "if not data and self._raw.length:",
        "if False:",
        "a-truncated-body-never-ends-silently",
    ),
    Mutant(
        "swallows truncated gzip",
        "if self._packed and not self._unpack.eof:",
        "if False:",
        "a-truncated-packed-body-never-ends-silently",
    ),
    Mutant(
        "swallows a reset",
        "            except MuxiError:\n                if self._ended_by:\n",
        "            except MuxiError:\n                if True:\n",
        "a-reset-in-the-body-is-told-as-such",
    ),
    Mutant(
        "sends again",
        "    def send(self, request: Request) -> Response:\n        origin",
        "    def send(self, request: Request) -> Response:\n        try:\n            return self._once(request)\n"
        "        except ConnectionError:\n            return self._once(request)\n\n"
        "    def _once(self, request: Request) -> Response:\n        origin",
        "nothing-is-sent-twice",
    ),
    Mutant(
        "tells passwords",
        'Attempt(f"{origin[1]}:{origin[2]}",',
        "Attempt(request.url,",
        "errors-can-be-pickled-and-keep-secrets",
    ),
    Mutant(
        "leaves failures open",
        '                self.end("failure")\n',
        "                self._line = None\n",
        "failures-leave-no-connection",
    ),
    Mutant(
        "keeps what failed",
        '                self.end("failure")\n',
        "                self._give_back()\n",
        "it-works-after-a-failure",
    ),
    # -- time
    Mutant(
        "no bound of the head",
        'self.stage == "head" and timeouts.head is not None',
        "False",
        "the-wait-for-the-head-is-bounded",
    ),
    Mutant(
        "calls every bound read",
        "bound=self.bound, connected",
        'bound="read", connected',
        "the-wait-for-the-head-is-bounded",
    ),
    Mutant(
        "no bound of silence",
        'bounds = {"read": timeouts.read}',
        'bounds = {"read": None}',
        "silence-in-the-body-is-bounded",
    ),
    Mutant("no total", "if self.deadline is not None:", "if False:", "everything-together-is-bounded"),
    Mutant(
        "the head's bound for all", 'self.stage == "head" and', "True and", "the-bound-of-the-head-is-none-of-the-body"
    ),
    Mutant("connecting takes its time", "(host, port), attempt.wait())", "(host, port), 1)", "connecting-is-bounded"),
    Mutant(
        "a bound for each read",
        'bounds["timeout"] = self.deadline - now',
        'bounds["timeout"] = timeouts.total',
        "the-total-holds-against-a-trickle",
    ),
    Mutant(
        "no bound of sending",
        "            self.sock.settimeout(self.attempt.wait())\n            view",
        "            self.sock.settimeout(1.5)\n            view",
        "sending-is-bounded",
    ),
    Mutant(
        "keeps what timed out",
        '                self.end("failure")\n',
        "                self._give_back()\n",
        "a-connection-that-timed-out-is-not-used-again",
    ),
    # -- connections
    Mutant(
        "closed for ever",
        "            idle, self._idle = self._idle, {}\n",
        "            idle, self._idle = self._idle, None\n",
        "a-closed-transport-works-again",
    ),
    Mutant("keeps nothing", "usable=not self._raw.will_close)", "usable=False)", "connections-are-kept"),
    Mutant(
        "keeps what is closed", "if line is None or line.is_idle():", "if True:", "closed-idle-connections-are-not-used"
    ),
    Mutant(
        "keeps what will be closed", "usable=not self._raw.will_close)", "usable=True)", "connection-close-is-respected"
    ),
    Mutant(
        "never closes what cannot serve again",
        "        else:\n            line.end()\n",
        "        else:\n            vars(self).setdefault('kept_open', []).append(line)\n",
        "the-end-of-an-answer-frees-its-connection",
    ),
    Mutant(
        "close() of an answer closes the transport",
        '    def close(self) -> None:\n        self.end("caller")',
        '    def close(self) -> None:\n        self.end("caller")\n        self._transport.close()',
        "connections-are-kept",
    ),
    Mutant(
        "close() does nothing",
        '    def close(self) -> None:\n        self.end("caller")',
        "    def close(self) -> None:\n        pass",
        "closing-early-closes-the-connection",
    ),
    Mutant(
        "close() reads the rest",
        '    def close(self) -> None:\n        self.end("caller")',
        "    def close(self) -> None:\n        list(self.chunks())",
        "closing-early-closes-the-connection",
    ),
    Mutant(
        "close() keeps the connection",
        '    def close(self) -> None:\n        self.end("caller")',
        "    def close(self) -> None:\n        self._give_back()",
        "closing-early-ends-the-answer",
    ),
    Mutant("close() waits for the reader", "            line.wake()\n", "", "closing-wakes-the-reader"),
    Mutant(
        "close() leaves streams",
        '            response.end("transport")',
        "            pass",
        "closing-the-transport-ends-what-is-at-work",
    ),
    Mutant(
        "close() ends streams silently",
        'if self._ended_by == "transport":',
        "if False:",
        "closing-the-transport-ends-what-is-at-work",
    ),
    Mutant(
        "close() leaves idle connections",
        "            for line in lines:\n                line.end()",
        "            pass",
        "closing-the-transport-leaves-no-connection",
    ),
]

#: The same for the async example.
ASYNC_MUTANTS = [
    Mutant(
        "blocks the loop",
        "        sending = self._pool.submit(self._transport.send, request)\n",
        "        return ThreadedResponse(self._transport.send(request), self._run)\n",
        "the-loop-runs-on-while-an-answer-is-awaited",
    ),
    Mutant(
        "makes bodies in the loop",
        "        sending = self._pool.submit(self._transport.send, request)\n",
        "        if request.body is not None:\n            request.body = BytesBody(b''.join(request.body.chunks()))\n"
        "        sending = self._pool.submit(self._transport.send, request)\n",
        "the-loop-runs-on-while-a-body-is-made",
    ),
    Mutant(
        "cancelled and still reading",
        "                self._response.close()  # wakes the thread that reads\n",
        "",
        "cancelling-in-the-body-frees-the-connection",
    ),
    Mutant("few threads", "threads: int = 64", "threads: int = 4", "many-streams-are-open-at-once"),
    Mutant(
        "a sync one",
        "return ThreadedTransport(HttpClientTransport())",
        "return HttpClientTransport()",
        "method-path-and-query-arrive",
    ),
]


def run(source: str) -> dict[str, Any]:
    """The names of a program."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(source, "example", "exec"), names)  # noqa: S102  our own page
    return names


def broken_by(mutant: Mutant) -> str:
    """What the suite says of a mutant when it looks at the rule in question."""
    stage = run(mutant.source)["TestThreaded" if mutant in ASYNC_MUTANTS else "TestHttpClient"]()
    stage.patience = 1.0
    (rule,) = (rule for rule in transport_suite.rules() if rule.name == mutant.rule)
    try:
        getattr(stage, rule.test)()
    except RuleBroken as error:
        return error.rule.name
    finally:
        gc.collect()
    return "nothing"


if __name__ == "__main__":
    every = [*MUTANTS, *ASYNC_MUTANTS]
    with ProcessPoolExecutor(6) as pool:
        print(json.dumps(dict(zip((mutant.name for mutant in every), pool.map(broken_by, every), strict=True))))
