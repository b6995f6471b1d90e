"""``muxi-client doctor``: check everything that calls depend on."""

from __future__ import annotations

import click

from muxi.cli.exits import CommandFailure
from muxi.cli.options import CommandTarget, target_options
from muxi.cli.output import print_json
from muxi.cli.terminal import answer

__all__ = ["command"]

_STYLES = {"ok": "32", "warning": "33", "failed": "31"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@target_options(user=True)
def command(as_json: bool, target: CommandTarget) -> None:
    """Check the installation, the settings and the way to server and formation; each line has its remedy.

    The exit code is 1 where a check failed; a warning leaves it 0. Keys are shown as fingerprints only.
    """
    from muxi.cli.checks import run_checks

    found = []
    for check in run_checks(target):
        found.append(check)
        if not as_json:
            remedy = f" -> {check.remedy}" if check.remedy else ""
            answer(f"{check.verdict:<7}", end="", style=_STYLES[check.verdict])
            answer(f" {check.name}: {check.found}{remedy}")
    if as_json:
        print_json([check._asdict() for check in found])
    if any(check.verdict == "failed" for check in found):
        raise CommandFailure("")
