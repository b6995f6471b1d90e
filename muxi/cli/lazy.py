"""Groups of commands: loaded when they are run, with the nearest name for a misspelt one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import groupby
from typing import Any

import click

from muxi.commands import CommandEntry, CommandRegistry

__all__ = ["Group", "LazyGroup", "load", "unknown"]


class Group(click.Group):
    """A group of commands that names the nearest command for an unknown one, and lists them in the order given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in their order."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument.

        Raises:
            UsageError: there is none of that name; the message has the nearest one.
        """
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            if name.startswith("-"):
                return super().resolve_command(ctx, args)
            raise click.UsageError(unknown("command", name, self.list_commands(ctx)), ctx)
        return name if command else None, command, args[1:]


class LazyGroup(Group):
    """The group of all commands: a registry of modules, and what plugins add to it.

    Args:
        registry: the commands of this package.
        plugged: adds the commands of plugins to the registry; called once, and only where a list of all is needed or a
            command is not in the registry.
    """

    def __init__(self, registry: CommandRegistry, plugged: Callable[[CommandRegistry], None], **settings: Any) -> None:
        super().__init__(**settings)
        self._registry = registry
        self._plugged: Callable[[CommandRegistry], None] | None = plugged

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name."""
        entry = self._registry.get(cmd_name)
        if entry is None:
            self._plug()
            entry = self._registry.get(cmd_name)
        return load(entry) if entry else None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        self._plug()
        return [entry.name for entry in self._registry.entries()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, from the registry alone."""
        self._plug()
        entries = self._registry.entries()
        width = max(len(entry.name) for entry in entries)
        for section, found in groupby(entries, key=lambda entry: entry.section):
            with formatter.section(section):
                formatter.write_dl([(entry.name.ljust(width), entry.summary) for entry in found])

    def _plug(self) -> None:
        plugged, self._plugged = self._plugged, None
        if plugged is not None:
            plugged(self._registry)


def load(entry: CommandEntry) -> click.Command:
    """Import the command of an entry.

    Raises:
        TypeError: what the entry names is not a command.
    """
    module, _, attribute = entry.target.partition(":")
    found: object = getattr(import_module(module), attribute)
    if not isinstance(found, click.Command):
        raise TypeError(f"{entry.target}, the target of the command {entry.name!r}, is not a click.Command")
    return found


def unknown(kind: str, name: str, known: list[str]) -> str:
    """Return the message for an unknown name, with the nearest known one."""
    from difflib import get_close_matches  # only for a mistake

    near = get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else "see --help for all of them"
    return f"there is no {kind} {name!r}; {hint}"
