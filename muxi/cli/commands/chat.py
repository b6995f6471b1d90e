"""``muxi-client chat``: a conversation with a formation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.background import events_of
from muxi.cli.conversation.prompt import make_prompt
from muxi.cli.conversation.screen import Screen
from muxi.cli.conversation.slash import SLASH_COMMANDS, run_slash
from muxi.cli.conversation.state import ChatState, choices_of
from muxi.cli.options import CommandTarget, target_options
from muxi.cli.terminal import is_terminal, say

if TYPE_CHECKING:
    from muxi.formation import FormationClient

__all__ = ["command"]

#: Types of events that are shown dimly while there is no text yet.
_PROGRESS = frozenset({"progress", "thinking", "planning"})


@click.command("chat")
@click.option("-s", "--session", metavar="ID", help="The session to continue.")
@click.option("--agent", metavar="ID", help="The agent that answers.")
@target_options()
def command(session: str | None, agent: str | None, target: CommandTarget) -> None:
    """Talk to a formation; /help in it lists its commands.

    Ctrl-C stops an answer and cancels its turn; at the prompt, a second one leaves. Answers are Markdown. Where the
    input is not a terminal, each of its lines is a message.
    """
    # Closing a stream early cancels its turn, behind a server or not.
    with target.formation_client(cancel_on_close=True) as formation:
        chat = ChatState(user_id=target.user_id or "0", session_id=session, agent_id=agent)
        if session:
            formation.get_session(session, chat.user_id)
        _talk(chat, formation)


def _talk(chat: ChatState, formation: FormationClient) -> None:
    prompt = make_prompt([*SLASH_COMMANDS, "/retry", "/quit"])
    screen = Screen()
    if is_terminal(sys.stdin):
        screen.note("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves.")
    stopped = False
    while True:
        try:
            line = prompt().strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            if stopped:
                return
            stopped = True
            screen.note("Ctrl-C again leaves.")
            continue
        if line == "/quit":
            return
        if line == "/retry":
            if chat.last is None:
                screen.note("There is no message to send again.")
                continue
            stopped = not _send(chat, formation, screen, *chat.last)
        elif line.startswith("/"):
            run_slash(chat, formation, line)
            stopped = False
        elif line:
            payload, files = chat.payload(line), chat.files
            chat.files = []
            stopped = not _send(chat, formation, screen, payload, files)


def _send(
    chat: ChatState, formation: FormationClient, screen: Screen, payload: dict[str, Any], files: list[str]
) -> bool:
    """Send a message and show its answer; return False where Ctrl-C stopped it."""
    from muxi.errors import MuxiError

    chat.last = (payload, files)
    chat.widget = None
    chat.transcript.append(("user", payload["message"]))
    try:
        with formation.chat_stream(payload, user_id=chat.user_id, files=files or None) as stream:
            widgets = _show(stream, screen)
            chat.answered(stream.result())
    except KeyboardInterrupt:
        screen.note("Stopped; the turn is cancelled.")
        return False
    except (MuxiError, OSError) as error:
        say(f"muxi-client: {error}")
        return True
    for widget in widgets:
        _show_widget(chat, screen, widget)
    return True


def _show(stream: Any, screen: Screen) -> list[Any]:
    from muxi.widgets import parse_ui_widgets

    widgets: list[Any] = []
    with screen.turn():
        for event in events_of(stream):
            if event["type"] == "text":
                screen.text(event.get("text") or "")
            elif event["type"] in _PROGRESS:
                screen.progress(event.get("text") or "")
            widgets += parse_ui_widgets(event)
    return widgets


def _show_widget(chat: ChatState, screen: Screen, widget: Any) -> None:
    if choices := choices_of(widget):
        chat.widget = widget
        if widget.get("prompt"):
            say(str(widget["prompt"]))
        for number, (label, _) in enumerate(choices, 1):
            say(f"  {number}  {label}")
        several = "numbers, with commas between them," if widget.get("multi") else "a number"
        screen.note(f"Type {several} to choose, or anything else.")
    elif widget.get("url"):
        say(f"{widget.get('label') or 'open'}: {widget['url']}")
