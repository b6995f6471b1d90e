"""The commands of a conversation: ``/session``, ``/sessions``, ``/agents``, ``/file``, ``/memory``, ``/save``, …"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from muxi.cli.conversation.state import ChatState
from muxi.cli.lazy import unknown
from muxi.cli.output import OutputFormat, show
from muxi.cli.terminal import say

if TYPE_CHECKING:
    from muxi.formation import FormationClient

__all__ = ["SLASH_COMMANDS", "run_slash"]

_TABLE = OutputFormat()


def _help(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """show these commands"""
    width = max(map(len, SLASH_COMMANDS))
    for name, function in SLASH_COMMANDS.items():
        say(f"{name.ljust(width)}  {function.__doc__}")
    say(f"{'/retry'.ljust(width)}  send the last message again")
    say(f"{'/quit'.ljust(width)}  leave (Ctrl-D does too)")


def _session(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """show the session; /session ID continues one, /session new begins one"""
    if argument == "new":
        chat.session_id = None
        say("The next message begins a session.")
    elif argument:
        formation.get_session(argument, chat.user_id)
        chat.session_id = argument
        say(f"The next message continues {argument}.")
    else:
        say(f"session {chat.session_id}" if chat.session_id else "The next message begins a session.")


def _sessions(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """list the user's sessions"""
    show(formation.get_sessions(chat.user_id), _TABLE)


def _agents(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """list the agents; /agents ID has one answer, /agents any lets the formation choose"""
    if argument:
        chat.agent_id = None if argument == "any" else argument
        say(f"{argument} answers from now on." if chat.agent_id else "The formation chooses the agent.")
        return
    show(formation.get_agents(), _TABLE)


def _file(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """attach a file to the next message"""
    path = os.path.expanduser(argument)
    if not argument or not os.path.isfile(path):
        say(f"There is no file {argument!r}." if argument else "/file takes the path of a file.")
        return
    chat.files.append(path)
    say(f"{len(chat.files)} file{'' if len(chat.files) == 1 else 's'} will go along with the next message.")


def _memory(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """list what the formation remembers of the user; /memory TEXT adds to it"""
    if argument:
        formation.add_memory(argument, user_id=chat.user_id)
        say("Remembered.")
        return
    found: Any = formation.get_memories(chat.user_id)
    if not found["memories"]:
        say("Nothing is remembered.")
    show(found["memories"], _TABLE, ("id", "content"))


def _save(chat: ChatState, formation: FormationClient, argument: str) -> None:
    """write the conversation to a Markdown file"""
    path = os.path.expanduser(argument or f"{chat.session_id or 'conversation'}.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(chat.as_markdown())
    say(f"Written to {path}.")


#: The commands, but ``/retry`` and ``/quit``, which the loop does itself.
SLASH_COMMANDS: dict[str, Callable[[ChatState, FormationClient, str], None]] = {
    "/help": _help,
    "/session": _session,
    "/sessions": _sessions,
    "/agents": _agents,
    "/file": _file,
    "/memory": _memory,
    "/save": _save,
}


def run_slash(chat: ChatState, formation: FormationClient, line: str) -> None:
    """Run a command of a conversation; an error of it is a line, and the conversation goes on."""
    from muxi.errors import MuxiError

    name, _, argument = line.partition(" ")
    function = SLASH_COMMANDS.get(name)
    if function is None:
        say(unknown("command", name, [*SLASH_COMMANDS, "/retry", "/quit"]).replace("see --help for", "/help shows"))
        return
    try:
        function(chat, formation, argument.strip())
    except (MuxiError, OSError) as error:
        say(str(error))
