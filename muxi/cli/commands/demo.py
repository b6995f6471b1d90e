"""``muxi-client demo``: chat, memories and an error, shown against an embedded formation."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from muxi.errors import MuxiError, NotFoundError, ServerError
from muxi.formation import FormationClient
from muxi_transports.memory import EmbeddedFormation, Turn, serve

__all__ = ["command", "demonstrate"]

#: The user of the demonstration.
USER = "muxi-client-demo"

#: Seconds between two words of the scripted agent.
PACE = 0.03

_ANSWER = """\
I am a scripted agent in an embedded formation. There is no model behind
me and no key in front of me, but everything between us is real: this text
reaches you as server-sent events over HTTP, word by word as I say it, and
the same code will talk to your formation when you have one."""


@click.command("demo")
def command() -> None:
    """Stream a chat, keep a memory, read a session, and see an error.

    The formation runs inside this command, over HTTP on a loopback port, without keys and models. Set
    MUXI_FORMATION_URL (or MUXI_SERVER_URL and MUXI_FORMATION_ID) and MUXI_CLIENT_KEY to have it talk to a formation of
    yours.
    """
    demonstrate()


def demonstrate() -> None:
    """Talk to a formation: the one that the environment names, or one that is started here.

    Raises:
        MuxiError: the formation cannot be reached, or refuses something that every formation can do.
    """
    with _formation() as formation:
        session_id = _chat(formation)
        _memories(formation)
        if session_id:
            _messages(formation, session_id)
        _error(formation)
    print("\nThe code of this is muxi/cli/commands/demo.py; the README takes it from here.")


@contextmanager
def _formation() -> Iterator[FormationClient]:
    """A client of the environment's formation, or else of an embedded one, over HTTP either way."""
    if os.environ.get("MUXI_FORMATION_URL") or os.environ.get("MUXI_FORMATION_ID"):
        with FormationClient() as formation:
            print(f"Talking to {formation!r}, as the environment says.")
            yield formation
        return
    embedded = EmbeddedFormation("demo", client_key="demo-key", pace=PACE)
    embedded.agent("guide", _guide)
    with serve(embedded) as served, _without_proxy():
        print(f"A formation is running inside this command, at {served.url}.")
        with FormationClient(url=served.url, client_key="demo-key") as formation:
            yield formation


@contextmanager
def _without_proxy() -> Iterator[None]:
    """No proxy of the environment leads to a port of this process."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _guide(turn: Turn) -> str:
    return _ANSWER


def _chat(formation: FormationClient) -> str:
    """Stream an answer to the terminal, and return the session it was in, where the formation names it."""
    question = "Hello! What are you?"
    _heading("A streamed answer", 'for piece in formation.chat_stream({"message": …}, user_id=…).text():')
    print(f"{USER}: {question}\n")
    started = time.monotonic()
    pieces = first = 0.0
    with formation.chat_stream({"message": question}, user_id=USER) as stream:
        for piece in stream.text():
            first = first or time.monotonic() - started
            pieces += 1
            print(piece, end="", flush=True)
        message = stream.result()
    seconds = time.monotonic() - started
    print(f"\n\n({pieces:.0f} pieces in {seconds:.1f} s; the first came after {first * 1000:.0f} ms)")
    return message["metadata"].get("session_id", "")


def _memories(formation: FormationClient) -> None:
    """Store a memory, list it, and leave nothing behind. Some formations have no store that can."""
    _heading("A memory", 'formation.add_memory("…", user_id=…); formation.get_memories(user_id=…)')
    try:
        added = formation.add_memory("Likes answers that come as they are made", user_id=USER)
        for memory in formation.get_memories(user_id=USER)["memories"]:
            print(f"{memory['id']}  {memory['content']}")
        formation.delete_memory(USER, added["id"])
        print("… and deleted again.")
    except ServerError as error:
        print(f"This formation's store keeps no memories: {error}")


def _messages(formation: FormationClient, session_id: str) -> None:
    """Read the session back."""
    _heading("The session's messages", "formation.get_session_messages(session_id, user_id=…)")
    page = formation.get_session_messages(session_id, user_id=USER)
    for message in page["messages"]:
        text = " ".join(message["text"].split())
        print(f"{message['metadata'].get('role', '?'):>10}: {text if len(text) <= 60 else text[:59] + '…'}")


def _error(formation: FormationClient) -> None:
    """See an error that says what it is."""
    _heading("An error", 'formation.get_request_status("req_of_nobody", user_id=…)')
    try:
        formation.get_request_status("req_of_nobody", user_id=USER)
    except NotFoundError as error:
        print(f"{type(error).__name__}: {error}")
    except MuxiError as error:
        print(f"{type(error).__name__}, where a NotFoundError was expected: {error}")


def _heading(title: str, code: str) -> None:
    print(f"\n-- {title} --\n   {code}\n")
