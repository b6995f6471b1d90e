"""``muxi-client bundle``: what a deployment would send."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from muxi.cli.lazy import Group
from muxi.cli.options import output_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.progress import size_of
from muxi.cli.terminal import answer, say

if TYPE_CHECKING:
    from muxi.bundles import Prepared

__all__ = ["command", "describe_plan"]


@click.group("bundle", cls=Group)
def command() -> None:
    """List and check what a deployment would send. Nothing is sent."""


@command.command("ls")
@click.argument("path", metavar="[DIR|FILE]", default=".", type=click.Path(exists=True))
@click.option("--left-out", is_flag=True, help="List what does not travel, and why.")
@output_options()
def list_files(path: str, left_out: bool, output: OutputFormat) -> None:
    """List the files that would travel."""
    rows: list[dict[str, object]]
    if os.path.isdir(path):
        from muxi.bundles import plan

        found = plan(path)
        if left_out:
            rows = [{"name": item.name, "reason": item.reason} for item in found.left_out]
        else:
            rows = [{"name": item.name, "size": item.size} for item in found.entries if not item.is_directory]
            if found.left_out:
                say(f"{len(found.left_out)} left out; --left-out lists them.")
    else:
        from muxi.bundles.contents import list_archive

        with open(path, "rb") as file:
            entries = [] if left_out else list_archive(file, path)
            rows = [{"name": entry.name, "size": entry.size} for entry in entries if not entry.is_directory]
    show(rows, output)


@command.command("check")
@click.argument("path", metavar="[DIR|FILE]", default=".", type=click.Path(exists=True))
def check(path: str) -> None:
    """Check a folder or an archive by the server's rules. The exit code is 2 where it would be refused."""
    from muxi.bundles import prepare

    prepared = prepare(path)
    for line in describe_plan(prepared):
        say(line)
    answer(f"{path}: {prepared.identity.id} {prepared.identity.version} can be deployed")


def describe_plan(prepared: Prepared) -> Iterator[str]:
    """Yield the lines about a bundle: its formation, its size, and what is left out."""
    identity, plan = prepared.identity, prepared.plan
    yield f"formation {identity.id} {identity.version}".rstrip()
    if plan is not None:
        count = len(plan.files)
        yield f"  {count} file{'' if count == 1 else 's'}, {size_of(plan.size)}"
        for item in plan.left_out:
            yield f"  left out: {item.name} ({item.reason})"
