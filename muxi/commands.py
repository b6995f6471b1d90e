"""Commands by name: where each subcommand of ``muxi-client`` is found, before any of them is loaded.

The command line registers its own here, and plugins theirs (``muxi_register_commands``). An entry names a module; it is
imported when the command is run, so that ``--help`` stays quick and needs no library of a command.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from muxi.errors import ConfigurationError

__all__ = ["CommandEntry", "CommandRegistry"]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_TARGET = re.compile(r"\w+(?:\.\w+)*:\w+")

#: Heading of the commands of plugins in ``muxi-client --help``.
PLUGIN_SECTION = "Plugins"


class CommandEntry(NamedTuple):
    """A subcommand that has not been loaded yet."""

    #: The word after ``muxi-client``.
    name: str
    #: ``package.module:attribute``; the attribute is a :class:`click.Command`.
    target: str
    #: One line for the list of commands.
    summary: str
    #: The heading that the list has it under.
    section: str


class CommandRegistry:
    """The subcommands of ``muxi-client``, in the order of registration."""

    def __init__(self) -> None:
        self._entries: dict[str, CommandEntry] = {}

    def add(self, name: str, target: str, summary: str, section: str = PLUGIN_SECTION) -> None:
        """Register a command; nothing is imported.

        Args:
            name: the word after ``muxi-client``: lower case, with hyphens.
            target: ``package.module:attribute`` of a :class:`click.Command`, imported when the command is run.
            summary: one line for the list of commands.
            section: the heading that the list has it under.

        Raises:
            ConfigurationError: a name is taken or invalid, or the target is not of that form.
        """
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"a command's name has lower-case letters, digits and hyphens, got {name!r}")
        if not _TARGET.fullmatch(target):
            raise ConfigurationError(f"the command {name!r} needs a target 'package.module:attribute', got {target!r}")
        if name in self._entries:
            raise ConfigurationError(f"there is a command {name!r} already, {self._entries[name].target}")
        self._entries[name] = CommandEntry(name, target, " ".join(summary.split()), section)

    def get(self, name: str) -> CommandEntry | None:
        """Return the entry of a name, or None."""
        return self._entries.get(name)

    def entries(self) -> list[CommandEntry]:
        """Return all entries, in the order of registration."""
        return list(self._entries.values())
