"""``muxi-client plugins``: plugins, where they come from, and the hooks that they implement."""

from __future__ import annotations

from typing import Any

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.inventory import find_plugins
from muxi.cli.lazy import Group, unknown
from muxi.cli.options import output_options
from muxi.cli.output import OutputFormat, show

__all__ = ["command"]

_COLUMNS = ("order", "name", "distribution", "state", "hooks")


@click.group("plugins", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the plugins that clients have here, in the order in which they are called."""
    if context.invoked_subcommand is None:
        show(_short(find_plugins()), OutputFormat(), _COLUMNS)


@command.command("list")
@output_options()
def list_plugins(output: OutputFormat) -> None:
    """List the plugins: those on every client, and those that are shipped to be switched on."""
    found = find_plugins()
    show(_short(found) if output.format == "table" else found, output, _COLUMNS)


@command.command("show")
@click.argument("name")
@output_options()
def show_plugin(name: str, output: OutputFormat) -> None:
    """Show one plugin: its distribution, its hooks, the extra that it misses."""
    show(_one(find_plugins(), "plugin", name), output)


def _short(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "hooks": ", ".join(hook.removeprefix("muxi_") for hook in row["hooks"])} for row in rows]


def _one(rows: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    for row in rows:
        if row["name"] == name:
            return row
    raise CommandFailure(unknown(kind, name, [row["name"] for row in rows]), Exit.NOT_FOUND)
