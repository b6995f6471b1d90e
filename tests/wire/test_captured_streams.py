"""Every recorded event stream: what its bytes say, and what becomes of it when it is cut anywhere."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from muxi import AsyncFormationClient, FormationClient
from muxi.call import Call
from muxi.clock import ManualClock
from muxi.config import Address, CallOptions
from muxi.context import Context
from muxi.errors import StreamInterrupted, TurnFailed
from muxi.streaming.chat import ChatReader, FrameReader
from muxi.streaming.progress import Opened
from muxi.streaming.sse import Framer, read_blocks
from muxi.streaming.streams import EventStream
from muxi.transport import Response
from muxi.types.chat import ChatEvent
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.requests import RequestsTransport
from tests.scripted import Script, Side
from tests.transports.raw_server import Peer, serving

if TYPE_CHECKING:
    from tests.conftest import Capture

#: Every byte in the slow suite; in the fast one every 37th, which falls on another part of each frame.
STEPS = [37, pytest.param(1, marks=pytest.mark.slow)]
#: Those in which something is out of the ordinary: see each name in the wire's description.
PECULIAR = ("chat_stream_greeting", "chat_stream_llm500", "chat_stream_midfail", "chat_stream_cr", "chat_stream_uni")


@dataclass
class Frame:
    """A frame as plain reading finds it, with what it adds to the answer."""

    name: str
    data: str
    #: Where it ends in the stream, its empty line included.
    end: int
    token: dict[str, Any] = field(default_factory=dict)

    @property
    def delta(self) -> str:
        return str(self.token["content"]) if self.token.get("type") == "content" else ""


def plainly(body: bytes) -> list[Frame]:
    """The frames of a recorded stream; those streams have one kind of line end each and no odd fields."""
    newline = b"\r\n" if b"\r\n" in body else b"\n"
    frames, start = [], 0
    while (at := body.find(newline * 2, start)) >= 0:
        block, start = body[start:at].decode(), at + 2 * len(newline)
        lines = block.split(newline.decode())
        names = [line[len("event: ") :] for line in lines if line.startswith("event: ")]
        data = [line[len("data: ") :] for line in lines if line.startswith("data: ")]
        if data or names:
            payload = json.loads(data[0])
            token = payload.get("token", {}) if isinstance(payload, dict) else {}
            frames.append(Frame((names or ["message"])[0], "\n".join(data), start, token))
    return frames


def is_whole_chat(it: Capture) -> bool:
    return any(frame.name in ("done", "error") for frame in plainly(it.body))


@pytest.fixture(scope="session")
def chats(streams: list[Capture]) -> list[Capture]:
    """The recorded chats that were recorded to their end."""
    return [it for it in streams if is_whole_chat(it)]


@pytest.fixture(scope="session")
def peculiar(chats: list[Capture]) -> list[Capture]:
    return [it for it in chats if it.name in PECULIAR]


class Expected:
    """What is to come of a recorded chat, whole and cut, by plain reading."""

    def __init__(self, it: Capture) -> None:
        self.frames = plainly(it.body)
        self.deltas = "".join(frame.delta for frame in self.frames)
        completed = [frame.token for frame in self.frames if frame.token.get("type") == "completed"]
        self.content = completed[-1]["content"]
        self.end = next(frame.end for frame in self.frames if frame.name == "done")
        self._completed = next(frame.end for frame in self.frames if frame.token.get("type") == "completed")

    def text_at(self, end: int) -> str:
        """The text that is there when that much of the stream has arrived."""
        if end >= self._completed and self.content.startswith(self.deltas):
            return str(self.content)
        return "".join(frame.delta for frame in self.frames if frame.end <= end)


def collapsed(blocks: bytes) -> bytes:
    """Blocks with one empty line after each; more, which comments leave behind, mean nothing."""
    while b"\n\n\n" in blocks:
        blocks = blocks.replace(b"\n\n\n", b"\n\n")
    return blocks


class _Pieces(Response):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(200)
        self._pieces = pieces

    def chunks(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        pass


CONTEXT = Context(
    call=Call("POST", "/chat"),
    address=Address("http://localhost"),
    url="http://localhost/chat",
    options=CallOptions(timeout=30, connect_timeout=10, max_retries=0),
    clock=ManualClock(),
)


def stream_of(*pieces: bytes) -> EventStream[ChatEvent]:
    return EventStream(Opened(_Pieces(pieces), ChatReader(), CONTEXT, None, lambda error, left: None, lambda: None))


def printed_by(stream: Iterator[ChatEvent], printed: list[str]) -> None:
    """The loop of the platform's documentation."""
    for event in stream:
        if event.get("type") == "text":
            printed.append(event.get("text", ""))
        elif event.get("type") == "done":
            break


def test_there_are_recorded_streams(streams: list[Capture], chats: list[Capture], peculiar: list[Capture]) -> None:
    assert len(streams) >= 30
    assert len(chats) >= 20
    assert len(peculiar) == len(PECULIAR)


def test_every_recorded_stream_parses_to_the_events_that_its_bytes_say(streams: list[Capture]) -> None:
    for it in streams:
        expected = [(frame.name, frame.data) for frame in plainly(it.body)]
        assert read_blocks(it.body) == expected, it.name
        reader = FrameReader()
        for at in range(len(it.body)):
            reader.feed(it.body[at : at + 1])
        assert [(event["event"], event["data"]) for event in reader.ready] == expected, it.name
        lines = it.body.replace(b"\r\n", b"\n").split(b"\n")[:-1]
        assert reader.keepalives == sum(line.startswith(b":") for line in lines), it.name


def test_every_recorded_chat_has_its_completed_text_as_result(side: Side, chats: list[Capture]) -> None:
    for it in chats:
        held = side.open(Script(*it.pieces))
        assert b"".join(it.pieces) == it.body
        assert held.result()["content"] == Expected(it).content, it.name


def test_the_documentation_s_loop_prints_every_recorded_answer_exactly_once(side: Side, chats: list[Capture]) -> None:
    for it in chats:
        expected = Expected(it)
        printed: list[str] = []
        printed_by(side.open(Script(*it.pieces)).each(), printed)  # type: ignore[arg-type]  # events of a chat
        if expected.content.startswith(expected.deltas):
            assert "".join(printed) == expected.content, it.name
        else:
            # The runtime strips the completed text; what was said before that cannot be taken back.
            assert "".join(printed) == expected.deltas, it.name
            assert expected.deltas.strip() == expected.content, it.name


def test_what_is_peculiar_about_the_recorded_chats_is_still_in_them(peculiar: list[Capture]) -> None:
    of = {it.name: Expected(it) for it in peculiar}
    assert of["chat_stream_greeting"].deltas == of["chat_stream_greeting"].content + " "
    assert of["chat_stream_llm500"].deltas == ""
    assert any(frame.token.get("stream_discontinuity") for frame in of["chat_stream_midfail"].frames)
    assert "\r" in of["chat_stream_cr"].deltas
    assert not of["chat_stream_uni"].content.isascii()


def test_recordings_that_were_stopped_end_in_an_interruption(side: Side, streams: list[Capture]) -> None:
    stopped = [it for it in streams if it.stopped and b'"token"' in it.body]
    assert stopped
    for it in stopped:
        with pytest.raises(StreamInterrupted) as caught:
            side.open(Script(*it.pieces)).result()
        assert not isinstance(caught.value, TurnFailed)
        assert caught.value.text == "".join(frame.delta for frame in plainly(it.body))


@pytest.mark.parametrize("step", STEPS)
def test_wherever_a_recorded_chat_is_cut_in_two_the_framer_hands_over_the_same_blocks(
    chats: list[Capture], step: int
) -> None:
    for it in chats:
        whole = Framer()
        blocks = collapsed(whole.feed(it.body))
        ends = [0, *(frame.end for frame in plainly(it.body))]
        for at in range(0, len(it.body) + 1, step):
            framer = Framer()
            first = framer.feed(it.body[:at])
            so_far = Framer().feed(it.body[: max(end for end in ends if end <= at)])
            assert collapsed(first) == collapsed(so_far), (it.name, at)
            assert collapsed(first + framer.feed(it.body[at:])) == blocks, (it.name, at)
            assert framer.comments == whole.comments, (it.name, at)


@pytest.mark.slow  # the stream and its framer are cut at chosen bytes above, and here at each
def test_byte_by_byte_a_recorded_chat_is_at_every_moment_the_answer_or_an_interruption(chats: list[Capture]) -> None:
    for it in chats:
        expected, reader, text = Expected(it), ChatReader(), ""
        for at in range(1, len(it.body) + 1):
            reader.feed(it.body[at - 1 : at])
            while reader.ready:
                event = reader.ready.popleft()
                text += event.get("text", "") if event["type"] == "text" else ""
            assert text == expected.text_at(at), (it.name, at)
            ended = copy.copy(reader)
            ended.end()
            assert ended.finished == (at >= expected.end), (it.name, at)
            assert isinstance(ended.failure, StreamInterrupted) != ended.finished, (it.name, at)


@pytest.mark.parametrize("step", STEPS)
def test_a_recorded_chat_that_ends_at_any_byte_is_the_answer_or_an_interruption(
    chats: list[Capture], step: int
) -> None:
    for it in chats:
        expected = Expected(it)
        for end in range(0, len(it.body) + 1, step):
            check(expected, end, stream_of(it.body[:end]), it.name)


@pytest.mark.parametrize("step", STEPS)
def test_a_recorded_chat_in_two_pieces_is_the_answer_wherever_it_is_cut(peculiar: list[Capture], step: int) -> None:
    for it in peculiar:
        expected = Expected(it)
        for at in range(0, len(it.body) + 1, step):
            check(expected, len(it.body), stream_of(it.body[:at], it.body[at:]), it.name)


def check(expected: Expected, end: int, stream: EventStream[ChatEvent], where: object) -> None:
    """A stream of which that much arrives is the whole answer if that is all of it, and else an interruption."""
    printed: list[str] = []
    interruption: StreamInterrupted | None = None
    try:
        printed_by(stream, printed)
    except StreamInterrupted as error:
        interruption = error
    assert "".join(printed) == expected.text_at(end), (where, end)
    if end >= expected.end:
        assert interruption is None, (where, end)
        assert stream.result()["content"] == expected.content, (where, end)
    else:
        assert type(interruption) is StreamInterrupted, (where, end)
        assert interruption.text == expected.text_at(end), (where, end)
    assert stream.closed


# -- over real sockets -----------------------------------------------------------------------------------------


@dataclass
class Cut:
    """An answer that breaks off."""

    #: The frames of the stream, each of which is written as one chunk.
    frames: list[bytes]
    #: How many bytes of the stream are sent.
    end: int
    chunked: bool

    def answer(self) -> bytes:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        if not self.chunked:
            return head + b"Connection: close\r\n\r\n" + b"".join(self.frames)[: self.end]
        answer, left = head + b"Transfer-Encoding: chunked\r\n\r\n", self.end
        for frame in self.frames:
            if left <= 0:
                break
            answer += b"%x\r\n" % len(frame) + frame[:left]
            left -= len(frame)
            if left >= 0:
                answer += b"\r\n"
        return answer


def cuts(it: Capture) -> Iterator[Cut]:
    """Around every boundary between frames, in both framings of HTTP."""
    frames = [block + b"\n\n" for block in it.body.split(b"\n\n")[:-1]]
    boundaries, end = [0], 0
    for frame in frames:
        end += len(frame)
        boundaries.append(end)
    for boundary in boundaries:
        for at in (boundary - 1, boundary, boundary + 1):
            if 0 <= at <= len(it.body):
                yield Cut(frames, at, chunked=True)
                yield Cut(frames, at, chunked=False)


class Cutter:
    """What the server does to each connection: the answer that is to be cut next."""

    def __init__(self) -> None:
        self.next = b""

    def __call__(self, peer: Peer) -> None:
        peer.request()
        peer.send(self.next)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_recorded_chat_cut_on_a_real_connection_is_the_answer_or_an_interruption(
    chats: list[Capture], step: int
) -> None:
    cutter = Cutter()
    # Made by the client, so that the client closes it.
    settings: dict[str, Any] = {"transport": lambda: RequestsTransport(trust_env=False)}
    with serving(cutter) as server, FormationClient(url=server.url, client_key="k", **settings) as client:
        for it in chats:
            expected = Expected(it)
            for cut in islice(cuts(it), 0, None, step):
                cutter.next = cut.answer()
                check(expected, cut.end, client.chat_stream("hi"), (it.name, cut.chunked))


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_the_same_over_the_async_transport(peculiar: list[Capture], step: int) -> None:
    cutter = Cutter()

    async def scenario(url: str) -> None:
        # Made by the client, so that the client closes it.
        settings: dict[str, Any] = {"transport": lambda: AiohttpTransport(trust_env=False)}
        async with AsyncFormationClient(url=url, client_key="k", **settings) as client:
            for it in peculiar:
                expected = Expected(it)
                for cut in islice(cuts(it), 0, None, step):
                    cutter.next = cut.answer()
                    await check_async(expected, cut, client, it.name)

    with serving(cutter) as server:
        asyncio.run(scenario(server.url))


async def check_async(expected: Expected, cut: Cut, client: AsyncFormationClient, name: str) -> None:
    where = (name, cut.end, cut.chunked)
    stream = client.chat_stream("hi")
    printed: list[str] = []
    interruption: StreamInterrupted | None = None
    try:
        async for event in stream:
            if event.get("type") == "text":
                printed.append(event.get("text", ""))
            elif event.get("type") == "done":
                break
    except StreamInterrupted as error:
        interruption = error
    assert "".join(printed) == expected.text_at(cut.end), where
    if cut.end >= expected.end:
        assert interruption is None, where
        assert (await stream.result())["content"] == expected.content, where
    else:
        assert type(interruption) is StreamInterrupted, where
        assert interruption.text == expected.text_at(cut.end), where
    assert stream.closed
