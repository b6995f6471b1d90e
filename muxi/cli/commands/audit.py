"""``muxi-client audit``: check and read audit trails."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import click

from muxi.cli.exits import CommandFailure
from muxi.cli.lazy import Group
from muxi.cli.options import output_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.terminal import answer
from muxi.tracefile.fields import number_of, whole_of

__all__ = ["command", "count_calls"]

#: Seconds between two looks for a new line.
_INTERVAL = 0.2


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
        raise CommandFailure("")
    open_calls = f", {found.unfinished} calls have no end" if found.unfinished else ""
    answer(f"{file}: {found.lines} lines are unaltered{open_calls}; head {found.head}")


def _read_key(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read().rstrip(b"\r\n")


@command.command("tail")
@click.argument("file")
@click.option("-n", "--lines", type=click.IntRange(1), default=20, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they are.")
def tail(file: str, lines: int, follow: bool, as_json: bool) -> None:
    """Print the last lines of an audit trail."""
    with open(file, encoding="utf-8", errors="replace") as trail:
        for line in deque(trail, maxlen=lines):
            _print_line(line, as_json)
        rest = ""
        while follow:
            rest += trail.readline()
            if rest.endswith("\n"):
                _print_line(rest, as_json)
                rest = ""
            else:
                time.sleep(_INTERVAL)


@command.command("stats")
@click.argument("file")
@output_options()
def stats(file: str, output: OutputFormat) -> None:
    """Count the calls of an audit trail by operation: outcomes, attempts and seconds."""
    with open(file, encoding="utf-8", errors="replace") as trail:
        found = count_calls(record for line in trail if (record := _read_line(line)) is not None)
    show(found, output, ("operation", "calls", "failed", "attempts", "seconds", "slowest"))


def count_calls(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the calls by operation, the most frequent first."""
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.get("event") != "finished":
            continue
        name = str(record.get("operation") or f"{record.get('method')} {record.get('route')}")
        row = rows.setdefault(
            name, {"operation": name, "calls": 0, "failed": 0, "attempts": 0, "seconds": 0.0, "slowest": 0.0}
        )
        seconds = number_of(record.get("seconds")) or 0.0
        row["calls"] += 1
        row["failed"] += record.get("outcome") != "ok"
        row["attempts"] += whole_of(record.get("attempts")) or 0
        row["seconds"] = round(row["seconds"] + seconds, 3)
        row["slowest"] = max(row["slowest"], seconds)
    return sorted(rows.values(), key=lambda row: (-row["calls"], row["operation"]))


def _read_line(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None  # a torn line, which `audit verify` reports
    return found if isinstance(found, dict) else None


def _print_line(line: str, as_json: bool) -> None:
    record = _read_line(line)
    if as_json or record is None:
        answer(line.rstrip("\n"))
        return
    parts = [str(record.get(name) or "-") for name in ("time", "event", "user", "operation")]
    if record.get("event") == "finished":
        parts += [str(record.get("outcome")), f"{record.get('seconds')} s"]
    answer("  ".join(parts))
