"""``muxi-client deploy``: a folder or an archive becomes a formation of a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.commands.bundle import describe_plan
from muxi.cli.exits import CommandFailure
from muxi.cli.options import CommandTarget, output_options, target_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.progress import follow_stages, progress_bar
from muxi.cli.terminal import is_terminal, say

if TYPE_CHECKING:
    from muxi.bundles import Prepared
    from muxi.server import ServerClient

__all__ = ["command"]


@click.command("deploy")
@click.argument("path", metavar="[DIR|FILE]", default=".", type=click.Path(exists=True))
@click.option("--update", is_flag=True, help="Only replace a formation that is there.")
@click.option("--create", is_flag=True, help="Only deploy a new formation.")
@click.option("--dry-run", is_flag=True, help="Check and show what would be sent, and send nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before a running formation is replaced.")
@target_options(formation=False, user=False)
@output_options()
def command(
    path: str, update: bool, create: bool, dry_run: bool, yes: bool, target: CommandTarget, output: OutputFormat
) -> None:
    """Deploy the formation of a folder or a .tar.gz; one of its id that is there is updated.

    What is packed and what is left out is shown, then the upload, then the server's stages. Ctrl-C during an update
    asks, and then cancels it: the old version stays.
    """
    if update and create:
        raise click.UsageError("--update and --create exclude each other")
    from muxi.bundles import prepare

    with progress_bar("sending") as progress:
        with progress_bar("packing") as packing:
            prepared = prepare(path, progress=progress, packing=packing)
        for line in describe_plan(prepared):
            say(line)
        if dry_run:
            say("Nothing was sent (--dry-run).")
            return
        with target.server_client() as server:
            exists = _exists(server, prepared.identity.id)
            _check_wish(prepared.identity.id, exists, update=update, create=create)
            if exists and not yes and is_terminal(sys.stdin):
                click.confirm(
                    f"Replace the running formation {prepared.identity.id}?", default=True, abort=True, err=True
                )
            show(_update(server, prepared) if exists else _create(server, prepared), output)


def _exists(server: ServerClient, formation_id: str) -> bool:
    from muxi.errors import NotFoundError

    try:
        server.get_formation(formation_id)
    except NotFoundError:
        return False
    return True


def _check_wish(formation_id: str, exists: bool, *, update: bool, create: bool) -> None:
    if update and not exists:
        raise CommandFailure(f"there is no formation {formation_id!r} to update; leave --update out to deploy it")
    if create and exists:
        raise CommandFailure(f"there is a formation {formation_id!r} already; leave --create out to update it")


def _create(server: ServerClient, prepared: Prepared) -> Any:
    with server.deploy_formation_stream(prepared) as stream:
        return follow_stages(stream)


def _update(server: ServerClient, prepared: Prepared) -> Any:
    formation_id = prepared.identity.id

    def cancel() -> None:
        question = f"\nCancel the update of {formation_id}? The old version stays."
        if is_terminal(sys.stdin) and not click.confirm(question, default=True, err=True):
            return
        # Leaving the stream would stop nothing: the server goes on.
        server.cancel_update(formation_id)
        say(f"The update of {formation_id} is cancelled; the old version stays.")
        raise KeyboardInterrupt

    with server.update_formation_stream(formation_id, prepared) as stream:
        return follow_stages(stream, cancel)
