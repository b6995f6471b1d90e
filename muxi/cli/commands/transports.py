"""``muxi-client transports``: transports by name."""

from __future__ import annotations

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.inventory import find_transports
from muxi.cli.lazy import Group, unknown
from muxi.cli.options import output_options
from muxi.cli.output import OutputFormat, show

__all__ = ["command"]

_COLUMNS = ("name", "distribution", "sync", "asynchronous", "state", "chosen")


@click.group("transports", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the transports that transport= and MUXI_TRANSPORT may name here."""
    if context.invoked_subcommand is None:
        show(find_transports(), OutputFormat(), _COLUMNS)


@command.command("list")
@output_options()
def list_transports(output: OutputFormat) -> None:
    """List the transports."""
    show(find_transports(), output, _COLUMNS)


@command.command("show")
@click.argument("name")
@click.option("--to", "url", metavar="URL", help="Show the way that a request to this address would take.")
@output_options()
def show_transport(name: str, url: str | None, output: OutputFormat) -> None:
    """Show one transport, and with --to its route: proxy, authorities, lane."""
    from muxi.cli.inventory import explain_route

    rows = find_transports()
    for row in rows:
        if row["name"] == name:
            show({**row, "route": explain_route(name, url)} if url else row, output)
            return
    raise CommandFailure(unknown("transport", name, [row["name"] for row in rows]), Exit.NOT_FOUND)
