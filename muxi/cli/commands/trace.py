"""``muxi-client trace``: run a program with the trace of its calls on, and show a trace in a browser."""

from __future__ import annotations

import os
from typing import Any

import click

from muxi.cli.exits import CommandFailure
from muxi.cli.lazy import Group
from muxi.cli.terminal import answer, say

__all__ = ["command"]

#: The command that runs a program, which need not be written.
_RUN = "run"


class TraceGroup(Group):
    """A group in which whatever is not one of its commands is a program to run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument; a program has the command ``run``."""
        if args[0] in self.commands or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        return _RUN, self.commands[_RUN], ["--", *args]


@click.group(
    "trace",
    cls=TraceGroup,
    no_args_is_help=True,
    context_settings={"allow_interspersed_args": False},
    subcommand_metavar="-- PROGRAM [ARGUMENTS]... | show FILE",
)
@click.option("--to", "target", metavar="FILE", default="trace.jsonl", show_default=True, help="The trace file.")
@click.option("--bodies", is_flag=True, help="Write bodies and texts of streams too, redacted.")
@click.pass_context
def command(context: click.Context, target: str, bodies: bool) -> None:
    """Run a program and write what its calls do to a trace file; show such a file.

    muxi-client trace -- python app.py
    """
    context.obj = (target, bodies)


@command.command(_RUN, hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run_program(context: click.Context, program: tuple[str, ...]) -> None:
    """Run a program whose name is one of a command of this group, such as ``run -- show``."""
    from muxi.cli.trace.program import run_traced

    target, bodies = context.obj
    before = _size(target)
    code = run_traced(program, target, bodies=bodies)
    if code in (126, 127) and _size(target) == before:
        say(f"muxi-client: {program[0]} cannot be run")
    elif _size(target) == before:
        say("muxi-client: the program made no calls with this SDK, and the trace has nothing new")
    else:
        say(f"muxi-client: the trace is in {target}; muxi-client trace show {target} shows it")
    context.exit(code)


@command.command("show")
@click.argument("file")
@click.option("--to", "target", metavar="PAGE", help="Write the page to this file, and open no browser.")
@click.option("--live", is_flag=True, help="Follow the file while it is written, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the totals by operation as JSON.")
@click.option("--no-browser", is_flag=True, help="Print the address of the page, and open no browser.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Loopback port of --live; a free one by default."
)
def show_trace(file: str, target: str | None, live: bool, as_json: bool, no_browser: bool, port: int) -> None:
    """Show a trace file in a browser: a page that holds all it needs.

    Files that were renamed because they were full (FILE.1, FILE.2, ...) are part of the trace.
    """
    if sum((target is not None, live, as_json)) > 1:
        raise click.UsageError("--to, --live and --json exclude each other")
    if as_json:
        from muxi.cli.output import print_json
        from muxi.cli.trace.show import totals

        print_json(totals(file))
    elif live:
        _follow(file, port, no_browser=no_browser)
    elif target is not None:
        from muxi.cli.trace.show import write_page

        write_page(file, target)
        answer(target)
    else:
        from muxi.cli.trace.show import write_temporary_page

        _open(_address_of(write_temporary_page(file)), no_browser=no_browser)


def _follow(file: str, port: int, *, no_browser: bool) -> None:
    import threading

    from muxi.cli.trace.live import LiveServer

    if os.path.isdir(file):
        raise CommandFailure(f"{file} is a folder")
    with LiveServer(file, port) as server:
        _open(server.url, no_browser=no_browser)
        say(f"muxi-client: following {file}; Ctrl-C ends it")
        threading.Event().wait()


def _open(address: str, *, no_browser: bool) -> None:
    """Open an address in the browser, and print it."""
    import webbrowser

    answer(address)
    if not no_browser and not webbrowser.open(address):
        say("muxi-client: no browser could be started; open the address yourself")


def _address_of(path: str) -> str:
    from pathlib import Path

    return Path(path).resolve().as_uri()


def _size(path: str) -> tuple[Any, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_size
