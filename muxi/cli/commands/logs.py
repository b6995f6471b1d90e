"""``muxi-client logs``: the output of a formation, and its own events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import click

from muxi.cli.options import CommandTarget, complete_formations, target_options
from muxi.cli.output import plain, print_json
from muxi.cli.terminal import answer, say

__all__ = ["command"]

#: Seconds before a feed that broke is opened again: the first wait, and the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


@click.command("logs")
@click.argument("formation_id", metavar="[ID]", required=False, shell_complete=complete_formations)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C; connect again where it breaks.")
@click.option("--tail", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many lines.")
@click.option("--stderr", is_flag=True, help="The error output.")
@click.option("--events", is_flag=True, help="The formation's own log, which needs the admin key; it is followed.")
@click.option("-s", "--session", metavar="ID", help="Events of a session.")
@click.option("--request", metavar="ID", help="Events of a request.")
@click.option("--agent", metavar="ID", help="Events of an agent.")
@click.option("--level", metavar="LEVEL", help="Events of this level (debug, info, warning, error).")
@click.option("--json", "as_json", is_flag=True, help="Print events as lines of JSON.")
@target_options()
def command(
    formation_id: str | None,
    follow: bool,
    tail: int,
    stderr: bool,
    events: bool,
    session: str | None,
    request: str | None,
    agent: str | None,
    level: str | None,
    as_json: bool,
    target: CommandTarget,
) -> None:
    """Print the last lines of a formation's output, as its server keeps them.

    With --events, --user, --session, --request, --agent or --level: the formation's own events, as they happen.
    """
    filters = {
        "user_id": target.user, "session_id": session, "request_id": request, "agent_id": agent, "level": level,
    }  # fmt: skip
    chosen = {name: value for name, value in filters.items() if value}
    if formation_id:
        target = CommandTarget(target.profile, formation_id, target.url, target.user, target.draft)
    if events or chosen:
        if stderr:
            raise click.UsageError("--stderr is for the server's lines, not for events")
        # The route needs a filter; this one lets everything through.
        _print_events(target, chosen or {"level": "debug"}, as_json)
        return
    found = target.formation_id
    if found is None:
        raise click.UsageError("which formation? muxi-client logs ID")
    _print_lines(target, found, tail, "stderr" if stderr else "stdout", follow)


def _print_lines(target: CommandTarget, formation_id: str, tail: int, output: Any, follow: bool) -> None:
    with target.server_client() as server:
        kept: Any = server.get_formation_logs(formation_id, limit=tail, stream=output)["logs"]
        for line in (kept.get(output) or [])[-tail:]:
            answer(line)
        if follow:

            def opened() -> Any:
                return server.stream_formation_logs(formation_id, stream=output)

            for event in followed(opened):
                _print_log_line(event)


def _print_log_line(event: Any) -> None:
    if event["type"] == "connected":
        say("New lines follow, until Ctrl-C.", dim=True)
    elif event["type"] == "log":
        answer(str(event.get("line", "")))


def _print_events(target: CommandTarget, filters: dict[str, Any], as_json: bool) -> None:
    with target.formation_client() as formation:

        def opened() -> Any:
            stream = formation.stream_logs(**filters)
            say("New events follow, until Ctrl-C.", dim=True)
            return stream

        for event in followed(opened):
            if as_json:
                print_json(plain(event), indent=None)
            else:
                answer(line_of(event))


def followed(open_stream: Callable[[], Any], sleep: Callable[[float], object] = time.sleep) -> Iterator[Any]:
    """Yield the events of a stream; open it again where it breaks or ends, with growing waits.

    Args:
        open_stream: opens it. Its first failure is raised, and so are refusals.
        sleep: waits.
    """
    from muxi.errors import ConnectionError, ServerError, StreamInterrupted, TimeoutError

    wait, connected = _FIRST_WAIT, False
    while True:
        try:
            with open_stream() as stream:
                if wait > _FIRST_WAIT:
                    say("Connected again.", dim=True)
                wait, connected = _FIRST_WAIT, True
                yield from stream
            reason = "the stream has ended"
        except (ConnectionError, ServerError, StreamInterrupted, TimeoutError) as error:
            if not connected or getattr(error, "permanent", False):
                raise
            reason = error.message
        say(f"{reason}; connecting again in {wait:g} s", dim=True)
        sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def line_of(event: Any) -> str:
    """Return the line for an event of a formation's log."""
    seconds = event.get("timestamp")
    when = datetime.fromtimestamp(seconds).strftime("%H:%M:%S") if isinstance(seconds, int | float) else "--:--:--"
    level = str(event.get("level") or "").upper()
    kind = event.get("event_type") or event.get("type") or ""
    message = event.get("message") or ""
    marks = [f"{name}={event[name]}" for name in ("agent_id", "session_id", "request_id") if event.get(name)]
    return " ".join(part for part in (when, level, str(kind), str(message), *marks) if part)
