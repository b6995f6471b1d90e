"""A coded body that breaks off, in a frame that is whole, is refused on every lane, by whomever the coding is undone.

brotli and zstd are undone where their packages are installed; ``tests/beside/test_codings.py`` runs this file there.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests

from muxi.errors import ConnectionError
from muxi.transport import Transport
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import ServerFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import chunk, failure, get

CONTENT = "".join(random.Random(7).choices("abcdefgh ", k=20_000)).encode()


def installed(*names: str) -> Any:  # Any: a module
    """The first of these modules that is there, or None."""
    for name in names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


BROTLI, ZSTD = installed("brotli"), installed("compression.zstd", "backports.zstd")


#: How a coding of all lanes is made.
OWN: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
#: How a coding is made that a session may have urllib3 undo.
LIBRARY: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress}
if BROTLI:
    LIBRARY["br"] = BROTLI.compress
    LIBRARY["gzip, br"] = lambda content: BROTLI.compress(gzip.compress(content))
    LIBRARY["br, gzip"] = lambda content: gzip.compress(BROTLI.compress(content))
if ZSTD:
    LIBRARY["zstd"] = ZSTD.compress
FRAMES = ["chunks", "length", "close"]
CUTS = {"last byte": -1, "all but the beginning": 20}


def answering(coding: str, packed: bytes, frame: str) -> Callable[[Peer], None]:
    """A server whose answer has its frame complete, whatever is missing of the coded content."""
    framing = {"chunks": "Transfer-Encoding: chunked", "length": f"Content-Length: {len(packed)}"}
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n{framing.get(frame, 'Connection: close')}\r\n\r\n"
    pieces = [packed[at : at + 4000] for at in range(0, len(packed), 4000)]
    body = b"".join(map(chunk, pieces)) + b"0\r\n\r\n" if frame == "chunks" else packed

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head.encode() + body)

    return script


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("coding", OWN)
def test_coded_content_that_breaks_off_is_refused(
    lane: Transport, serve: ServerFactory, coding: str, frame: str, cut: str
) -> None:
    packed = OWN[coding](CONTENT)[: CUTS[cut]]
    error = failure(lane, get(serve(answering(coding, packed, frame)).url))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_LOST", True)


@pytest.fixture(params=["session", "adapter"])
def asking(request: pytest.FixtureRequest) -> Any:
    """A transport whose connections are the user's, so that answers may have every coding that urllib3 knows."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter()
    transport = (
        RequestsTransport(session=session)
        if request.param == "session"
        else RequestsTransport(adapters={"http://": adapter})
    )
    yield transport
    transport.close()
    session.close()
    adapter.close()


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("coding", LIBRARY)
def test_a_coding_of_the_library_is_undone(asking: Transport, serve: ServerFactory, coding: str, frame: str) -> None:
    packed = LIBRARY[coding](CONTENT)

    assert asking.send(get(serve(answering(coding, packed, frame)).url)).read() == CONTENT


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("coding", LIBRARY)
def test_content_that_the_library_decodes_and_that_breaks_off_is_refused(
    asking: Transport, serve: ServerFactory, coding: str, frame: str, cut: str
) -> None:
    packed = LIBRARY[coding](CONTENT)[: CUTS[cut]]
    error = failure(asking, get(serve(answering(coding, packed, frame)).url))

    assert isinstance(error, ConnectionError)
    assert error.code in ("CONNECTION_LOST", "INVALID_RESPONSE")
    assert error.connected
