"""``muxi-client audit``: check and read audit trails."""

from __future__ import annotations

import click

from muxi.cli.exits import Failure
from muxi.cli.lazy import Group
from muxi.cli.terminal import answer

__all__ = ["command"]


@click.group("audit", cls=Group)
def command() -> None:
    """Check and read audit trails, which the plugin AuditTrail writes."""


@command.command("verify")
@click.argument("file")
@click.option("--head", metavar="HASH", help="An earlier hash, stored elsewhere, which must be in the trail.")
@click.option("--key-file", metavar="KEY", help="A file with the key of the hashes, if they are keyed.")
def verify_trail(file: str, head: str | None, key_file: str | None) -> None:
    """Find lines of an audit trail that are missing, altered or out of order.

    The exit code is 0 where there are none, and 1 otherwise.
    """
    from muxi.plugins.chain import verify

    found = verify(file, key=_read_key(key_file), head=head)
    if not found.ok:
        answer(f"{file}: line {found.bad_line}: {found.problem}")
        raise Failure("")
    open_calls = f", {found.unfinished} calls have no end" if found.unfinished else ""
    answer(f"{file}: {found.lines} lines are unaltered{open_calls}; head {found.head}")


def _read_key(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read().rstrip(b"\r\n")
