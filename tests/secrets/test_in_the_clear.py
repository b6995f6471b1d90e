"""Keys on their way: when the SDK warns, what it signs behind a proxy, and white space around keys and ids."""

from __future__ import annotations

import json
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import requests.adapters

from muxi import ConfigurationError, FormationClient, ServerClient, webhook
from muxi.errors import ConnectionError as MuxiConnectionError
from muxi.plugins import BearerAuth
from muxi.plugins.signature import sign
from muxi.transport import Headers, plaintext
from muxi.transport.plaintext import is_loopback
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.memory import MemoryTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.answers import Colour, Playback, answer


@pytest.fixture(autouse=True)
def _nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plaintext, "_warned", set())


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "bot.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"],
)
def test_this_machine_is_known_by_its_names_and_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.formation.example",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "notlocalhost",
        "memory",
        "10.0.0.1",
        "::2",
        "",
    ],
)
def test_no_other_host_is(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://formation.example",
        "HTTP://formation.example",
        "http://127.0.0.1.evil.com",
        "http://127.x.example",
        "http://memory",
    ],
)
def test_a_key_on_a_network_is_warned_about(colour: Colour, url: str) -> None:
    with pytest.warns(UserWarning, match="over plain http"):
        colour.run(colour.formation(Playback(answer({})), url=url).get_memories, "ada")


def test_transports_within_the_process_are_not_warned_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with FormationClient(transport=MemoryTransport(), url="http://formation.example", client_key="k") as client:
            assert client.chat("hi", user_id="ada")["message"]["content"]


def _context(*, verified: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _session(*, verified: bool, by: str = "verify") -> requests.Session:
    session = requests.Session()
    if by == "verify":
        session.verify = verified
    else:
        session.mount("https://", _Adapter(_context(verified=verified)))
    return session


class _Adapter(requests.adapters.HTTPAdapter):
    """An adapter with a TLS context, as its documentation makes one."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)


#: Every way to make a transport that verifies certificates, or none.
TRUST: dict[str, Callable[[bool], object]] = {
    "requests": lambda verified: RequestsTransport(verify=verified),
    "requests, full": lambda verified: RequestsTransport(verify=verified, direct=False),
    "requests, context": lambda verified: RequestsTransport(verify=_context(verified=verified)),
    "requests, session": lambda verified: RequestsTransport(session=_session(verified=verified)),
    "requests, adapter of a session": lambda verified: RequestsTransport(
        session=_session(verified=verified, by="adapter")
    ),
    "requests, adapter": lambda verified: RequestsTransport(
        adapters={"https://": _Adapter(_context(verified=verified))}
    ),
    "urllib3": lambda verified: Urllib3Transport(verify=verified),
    "urllib3, full": lambda verified: Urllib3Transport(verify=verified, direct=False),
    "urllib3, context": lambda verified: Urllib3Transport(verify=_context(verified=verified)),
    "aiohttp": lambda verified: AiohttpTransport(verify=verified),
    "aiohttp, context": lambda verified: AiohttpTransport(verify=_context(verified=verified)),
}


@pytest.mark.parametrize("way", TRUST)
def test_tls_that_verifies_nothing_is_warned_about_by_every_transport(way: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TRUST[way](True)
    with pytest.warns(UserWarning, match="certificates are not verified") as caught:
        TRUST[way](False)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def _fail_twice(client: FormationClient) -> None:
    for _ in range(2):
        with pytest.raises(MuxiConnectionError):
            client.get_memories("ada")


def test_a_session_that_verifies_nothing_later_is_warned_about_once() -> None:
    session = requests.Session()
    transport = RequestsTransport(session=session)
    with FormationClient(url="https://127.0.0.1:1", client_key="k", transport=transport, max_retries=0) as client:
        session.verify = False
        with pytest.warns(UserWarning, match="certificates are not verified") as caught:
            _fail_twice(client)
        assert len(caught) == 1


def test_a_session_that_verifies_nothing_is_not_warned_about_without_tls() -> None:
    session = requests.Session()
    transport = RequestsTransport(session=session)
    with FormationClient(url="http://127.0.0.1:1", client_key="k", transport=transport, max_retries=0) as client:
        session.verify = False
        with pytest.raises(MuxiConnectionError):
            client.get_memories("ada")


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r\n", "\u00a0"])
def test_white_space_at_the_ends_of_any_key_or_id_is_dropped(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = FormationClient(
        server_url="http://localhost",
        formation_id=f"{space}bot{space}",
        client_key=f"k1{space}",
        admin_key=f"{space}k2",
    )
    config: Any = client._core.config
    assert (config.formation_id, config.client_key, config.admin_key) == ("bot", "k1", "k2")
    config = ServerClient(url="http://localhost", key_id=f"{space}id{space}", secret_key=f"s{space}")._core.config
    assert (config.key_id, config.secret_key) == ("id", "s")
    monkeypatch.setenv("MUXI_KEY_ID", f"id{space}")
    assert ServerClient(url="http://localhost")._core.config.key_id == "id"  # type: ignore[union-attr]  # a server's


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r\n", "\u00a0"])
def test_white_space_at_the_ends_of_ids_of_a_call_is_dropped_wherever_they_go(colour: Colour, space: str) -> None:
    play = Playback(*[answer({"message": {"role": "assistant", "content": "x"}, "memories": [], "count": 0})] * 4)
    client = colour.formation(play)
    message = {"message": f" hi{space}", "session_id": f"s{space}", "agent_id": f"{space}a", "group_id": "g "}
    colour.run(client.chat, message, user_id=f"{space}ada{space}")
    colour.run(client.get_session, f"{space}s", f"ada{space}")
    colour.run(client.get_memories, f"ada{space}")
    colour.run(client.request, "GET", "/x", params={}, query={"session_id": f"s{space}", "text": "t "})
    chat, session, memories, raw = play.requests
    assert [it.headers["X-Muxi-User-ID"] for it in (chat, session, memories)] == ["ada"] * 3
    sent = json.loads(b"".join(chat.body.chunks())) if chat.body else {}
    assert {name: sent[name] for name in message} == {
        "message": f" hi{space}", "session_id": "s", "agent_id": "a", "group_id": "g"
    }  # fmt: skip
    assert session.path.endswith("/sessions/s")
    assert raw.url.endswith("/x?session_id=s&text=t+")


@pytest.mark.parametrize("space", [" ", "\n", "\r\n"])
def test_white_space_at_the_ends_of_the_key_of_webhooks_is_dropped(space: str) -> None:
    signature = webhook.sign("{}", f"secret-key{space}", 1)
    assert signature == webhook.sign("{}", "secret-key", 1)
    assert webhook.verify_signature("{}", signature, f"{space}secret-key{space}", tolerance_seconds=1e12)
    with pytest.raises(webhook.WebhookVerificationError, match="SECRET_MISSING"):
        webhook.sign("{}", space, 1)


@pytest.mark.parametrize("space", [" ", "\n"])
@pytest.mark.parametrize("function", [False, True])
def test_white_space_at_the_ends_of_a_token_is_dropped(colour: Colour, space: str, function: bool) -> None:
    play = Playback(answer({"memories": [], "count": 0}))
    token = f"{space}t0k3n{space}"
    client = colour.formation(play, plugins=[BearerAuth((lambda: token) if function else token)])
    colour.run(client.get_memories, "ada")
    assert play.requests[0].headers["Authorization"] == "Bearer t0k3n"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("key_id", 5, "key_id= takes a text"),
        ("key_id", "a\nb", r"key_id= \(or MUXI_KEY_ID\) has a line break"),
        ("secret_key", "caf\udce9", r"secret_key= \(or MUXI_SECRET_KEY\) is not valid text"),
        ("unsigned_prefix", "muxi", "unsigned_prefix= takes the beginning of a path"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_with_its_argument_and_variable(
    name: str, value: Any, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        ServerClient(url="http://localhost", **{name: value})
    assert "caf" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "prefix"),
    [
        ("/muxi", "/muxi"),
        ("/muxi", "/muxi/"),
        ("/a%20b/%C3%BC", "/a b/ü"),
        ("/a%20b/%C3%BC", "/a%20b/%C3%BC"),
    ],
)
def test_the_signature_leaves_out_a_prefix_that_a_proxy_removes(colour: Colour, base: str, prefix: str) -> None:
    play = Playback(answer({}))
    client = colour.server(
        play, url=f"http://localhost{base}", key_id="id", secret_key="secret-key", unsigned_prefix=prefix
    )
    colour.run(client.status)
    request = play.requests[0]
    assert request.path == unquote(f"{base}/rpc/server/status")
    said = dict(part.strip().split("=", 1) for part in request.headers["Authorization"].partition(" ")[2].split(","))
    assert said["signature"] == sign("secret-key", int(said["timestamp"]), "GET", "/rpc/server/status")


@pytest.mark.parametrize("prefix", ["/other", "/mu", "/muxi/more"])
def test_a_prefix_that_the_url_does_not_have_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="beginning of the path of url="):
        ServerClient(url="http://localhost/muxi", key_id="id", secret_key="secret-key", unsigned_prefix=prefix)


def test_headers_are_a_mapping_for_dict() -> None:
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("B", "3")])
    assert dict(headers) == {"X-A": "1, 2", "B": "3"}


def test_a_key_that_failover_sends_over_plain_http_is_warned_about() -> None:
    from muxi_transports.failover import FailoverTransport

    url = "http://127.0.0.1.evil.example"
    transport = FailoverTransport({url: Colour().transport(Playback(answer({})))})
    with (
        FormationClient(transport=transport, url="https://formation.example", client_key="fmc_0123") as client,
        pytest.warns(UserWarning, match=r"127\.0\.0\.1\.evil\.example over plain http"),
    ):
        client.get_memories("ada")


def test_a_cassette_that_is_played_is_not_warned_about(tmp_path: Path) -> None:
    from muxi_transports.recorded import RecordedTransport

    transport = RecordedTransport(tmp_path / "a.yaml", MemoryTransport(), "new")
    assert transport.private  # the wrapped transport sends nothing
    over_network = RecordedTransport(tmp_path / "b.yaml", "urllib3", "new")
    assert not over_network.private
    with FormationClient(transport=transport, url="http://formation.example", client_key="k") as client:
        client.get_memories("ada")
    played = RecordedTransport(tmp_path / "a.yaml", "urllib3", "none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with FormationClient(transport=played, url="http://formation.example", client_key="k") as client:
            client.get_memories("ada")
