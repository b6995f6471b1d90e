"""The command that Acme adds to ``muxi-client``."""

from __future__ import annotations

import os

import click

from acme_muxi.cost_centre import UNASSIGNED

__all__ = ["payer"]


@click.command("acme-payer")
@click.option("--quiet", is_flag=True, help="Print nothing; the exit code is 0 where a cost centre is set, else 1.")
@click.pass_context
def payer(context: click.Context, quiet: bool) -> None:
    """Print the cost centre that pays for the calls of this environment."""
    found = os.environ.get("ACME_COST_CENTRE", "")
    if not quiet:
        click.echo(found or UNASSIGNED)
    context.exit(0 if found else 1)
