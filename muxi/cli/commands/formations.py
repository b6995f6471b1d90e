"""``muxi-client formations``: the formations of a server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from muxi.cli.exits import CommandFailure
from muxi.cli.lazy import Group
from muxi.cli.options import CommandTarget, complete_formations, output_options, target_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.progress import follow_stages, progress_bar
from muxi.cli.terminal import is_terminal, say

__all__ = ["command"]

_COLUMNS = ("id", "status", "healthy", "version", "port", "uptime", "restart_count")

#: Seconds between two looks of ``--watch``.
_INTERVAL = 2.0


@click.group("formations", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, start, stop and delete the formations of a server. Without a command they are listed."""
    if context.invoked_subcommand is None:
        _list(CommandTarget(for_formation=False), OutputFormat())


def _watched(context: click.Context, look: Callable[[], None], watch: bool, interval: float = _INTERVAL) -> None:
    look()
    while watch:
        time.sleep(interval)
        if is_terminal(sys.stdout):
            click.clear()
        look()


@command.command("list")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@target_options(formation=False, user=False)
@output_options()
@click.pass_context
def list_formations(context: click.Context, watch: bool, target: CommandTarget, output: OutputFormat) -> None:
    """List the formations."""
    _watched(context, lambda: _list(target, output), watch)


def _list(target: CommandTarget, output: OutputFormat) -> None:
    with target.server_client() as server:
        found: Any = server.list_formations()
    if not found["formations"]:
        say("There are no formations on this server yet. Deploy one with: muxi-client deploy DIR")
    rows = [{**row, "version": _version(row)} if output.format == "table" else row for row in found["formations"]]
    show(sorted(rows, key=lambda row: str(row.get("id"))), output, _COLUMNS)


def _version(row: dict[str, Any]) -> str | None:
    version = row.get("version")
    return version.get("semantic") if isinstance(version, dict) else version


_ID = click.argument("formation_id", metavar="ID", shell_complete=complete_formations)


@command.command("get")
@_ID
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@target_options(formation=False, user=False)
@output_options()
@click.pass_context
def get(context: click.Context, formation_id: str, watch: bool, target: CommandTarget, output: OutputFormat) -> None:
    """Show one formation."""

    def look() -> None:
        with target.server_client() as server:
            show(server.get_formation(formation_id), output)

    _watched(context, look, watch)


@command.command("start")
@_ID
@target_options(formation=False, user=False)
@output_options()
def start(formation_id: str, target: CommandTarget, output: OutputFormat) -> None:
    """Start a formation, and wait until it is healthy."""
    with target.server_client() as server, server.start_formation_stream(formation_id) as stream:
        show(follow_stages(stream), output)


@command.command("stop")
@_ID
@target_options(formation=False, user=False)
@output_options()
def stop(formation_id: str, target: CommandTarget, output: OutputFormat) -> None:
    """Stop a formation."""
    with target.server_client() as server:
        show(server.stop_formation(formation_id), output)


@command.command("restart")
@_ID
@target_options(formation=False, user=False)
@output_options()
def restart(formation_id: str, target: CommandTarget, output: OutputFormat) -> None:
    """Stop a formation, start it, and wait until it is healthy."""
    with target.server_client() as server, server.restart_formation_stream(formation_id) as stream:
        show(follow_stages(stream), output)


@command.command("rollback")
@_ID
@target_options(formation=False, user=False)
@output_options()
def rollback(formation_id: str, target: CommandTarget, output: OutputFormat) -> None:
    """Return to the version before the last update."""
    with target.server_client() as server, server.rollback_formation_stream(formation_id) as stream:
        show(follow_stages(stream), output)


@command.command("cancel-update")
@_ID
@target_options(formation=False, user=False)
@output_options()
def cancel_update(formation_id: str, target: CommandTarget, output: OutputFormat) -> None:
    """Cancel the update that is going on; the old version stays."""
    with target.server_client() as server:
        show(server.cancel_update(formation_id), output)


@command.command("delete")
@_ID
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@target_options(formation=False, user=False)
@output_options()
def delete(formation_id: str, yes: bool, target: CommandTarget, output: OutputFormat) -> None:
    """Stop a formation and remove it with all it has stored."""
    if not yes:
        if not is_terminal(sys.stdin):
            raise click.UsageError("deleting a formation asks first; give --yes where no terminal is there to answer")
        click.confirm(f"Delete the formation {formation_id} with all it has stored?", abort=True, err=True)
    with target.server_client() as server:
        show(server.delete_formation(formation_id), output)


@command.command("download")
@_ID
@click.option("--to", "path", metavar="FILE", default=".", help="The file, or a folder for ID.zip (default: here).")
@click.option("--db", is_flag=True, help="Take memory.db along, what the formation remembers.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@target_options(formation=False, user=False)
@output_options()
def download(formation_id: str, path: str, db: bool, force: bool, target: CommandTarget, output: OutputFormat) -> None:
    """Download a formation's files as a zip."""
    file = os.path.join(path, f"{formation_id}.zip") if os.path.isdir(path) else path
    if os.path.exists(file) and not force:
        raise CommandFailure(f"{file} is there already; --force replaces it")
    with target.server_client() as server, progress_bar("downloading") as progress:
        found = server.download_formation(formation_id, file, db=db, progress=progress)
    say(f"Written to {found['path']}.")
    show(found, output)
