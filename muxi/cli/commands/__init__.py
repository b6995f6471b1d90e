"""The commands: each is a module of this folder, and one line of the table below.

To add a command ``greet``, write ``muxi/cli/commands/greet.py`` with a :class:`click.Command` named ``command``, and
add its line to :data:`COMMANDS`. The module is imported when the command is run, and for ``muxi-client greet --help``;
the list of commands is made from the table alone. In the module:

- options that several commands have come from :mod:`muxi.cli.options` (``--formation``, ``--profile``, ``--user``,
  ``-o``, ``--query``); settings from their ``target``, which makes the clients;
- the answer goes to stdout by :func:`muxi.cli.output.show` or :func:`muxi.cli.terminal.answer`, all else to stderr by
  :func:`muxi.cli.terminal.say`;
- errors are raised: a :class:`~muxi.errors.MuxiError`, an ``OSError``, a :class:`click.UsageError`, or
  :class:`muxi.cli.exits.CommandFailure` with an exit code; :mod:`muxi.cli.app` prints one line for each;
- libraries other than click are imported inside of functions.
"""

from __future__ import annotations

from muxi.commands import CommandRegistry

__all__ = ["COMMANDS", "builtin_commands"]

_TALK = "Talk to a formation"
_MANAGE = "Manage a server"
_SETTINGS = "Settings and diagnosis"
_DEVELOP = "Develop and test"

#: Name, section and summary of each command; ``name`` is in the module of that name here, as ``command``.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("ask", _TALK, "send one message, and print the answer"),
    ("batch", _TALK, "send a file of prompts, and write a file of answers"),
    ("call", _TALK, "call any operation of a formation or a server"),
    ("chat", _TALK, "talk to a formation"),
    ("bundle", _MANAGE, "list and check what would be deployed"),
    ("deploy", _MANAGE, "deploy or update a formation"),
    ("formations", _MANAGE, "list, start, stop and delete formations"),
    ("logs", _MANAGE, "read and follow logs and events"),
    ("completion", _SETTINGS, "print the script of shell completion"),
    ("doctor", _SETTINGS, "check the installation, the settings and the connection"),
    ("plugins", _SETTINGS, "list plugins and their hooks"),
    ("profiles", _SETTINGS, "servers and their keys by name"),
    ("transports", _SETTINGS, "list transports"),
    ("audit", _DEVELOP, "check and read audit trails"),
    ("cassette", _DEVELOP, "list, show and scrub recorded exchanges"),
    ("demo", _DEVELOP, "stream a chat, keep a memory, read a session, and see an error"),
    ("serve", _DEVELOP, "run a formation without models as a development server"),
    ("trace", _DEVELOP, "run a program and show what its calls did, in a browser"),
    ("webhooks", _DEVELOP, "receive, sign and verify webhooks"),
)


def builtin_commands() -> CommandRegistry:
    """Return a registry with the commands of this folder."""
    registry = CommandRegistry()
    sections = [_TALK, _MANAGE, _SETTINGS, _DEVELOP]
    for name, section, summary in sorted(COMMANDS, key=lambda row: sections.index(row[1])):
        registry.add(name, f"{__name__}.{name}:command", summary, section)
    return registry
