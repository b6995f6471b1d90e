"""The command line: its arguments, and the report of errors."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from muxi.cli.serve import add_serve
from muxi.client.environment import conflicts
from muxi.errors import MuxiError
from muxi.version import __version__

__all__ = ["run"]

#: Exit code of an interrupted command: 128 and the number of SIGINT.
INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name.

    Returns:
        The exit code: 0, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C.
    """
    parser = _parser()
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as finished:
        return int(finished.code or 0)
    for conflict in conflicts():
        print(f"muxi-client: warning: {conflict}", file=sys.stderr)
    try:
        with warnings.catch_warnings():
            if conflicts():
                # Printed above; each client would warn again.
                warnings.simplefilter("ignore", RuntimeWarning)
            code: int = chosen.run(chosen) or 0
            sys.stdout.flush()
    except MuxiError as error:
        print(f"muxi-client: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmuxi-client: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has closed it; Python would report it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="muxi-client", description="The Python SDK for MUXI, at a terminal.")
    parser.add_argument("--version", action="version", version=f"muxi-client {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="stream a chat, keep a memory, read a session, and see an error",
        description=(
            "Stream a chat, keep a memory, read a session, and see an error: with a formation that runs inside this "
            "command, over HTTP on a loopback port, without keys and models. Set MUXI_FORMATION_URL (or "
            "MUXI_SERVER_URL and MUXI_FORMATION_ID) and MUXI_CLIENT_KEY to have it talk to a formation of yours."
        ),
    )
    demo.set_defaults(run=lambda _: _demo())
    add_serve(commands)
    audit = commands.add_parser("audit", help="check an audit trail", description="Check an audit trail.")
    verify = audit.add_subparsers(title="commands", required=True, metavar="command").add_parser(
        "verify",
        help="find lines that are missing, altered or out of order",
        description=(
            "Find lines of an audit trail that are missing, altered or out of order. The exit code is 0 where there "
            "are none, and 1 otherwise."
        ),
    )
    verify.add_argument("file", help="the trail")
    verify.add_argument("--head", help="an earlier hash, stored elsewhere, which must be in the trail")
    verify.add_argument("--key-file", metavar="KEY", help="a file with the key of the hashes, if they are keyed")
    verify.set_defaults(run=_verify)
    return parser


def _verify(arguments: argparse.Namespace) -> int:
    from muxi.plugins.chain import verify

    try:
        key = None
        if arguments.key_file:
            with open(arguments.key_file, "rb") as file:
                key = file.read().rstrip(b"\r\n")
        found = verify(arguments.file, key=key, head=arguments.head)
    except OSError as error:
        print(f"muxi-client: {error}", file=sys.stderr)
        return 1
    if not found.ok:
        print(f"{arguments.file}: line {found.bad_line}: {found.problem}")
    else:
        open_calls = f", {found.unfinished} calls have no end" if found.unfinished else ""
        print(f"{arguments.file}: {found.lines} lines are unaltered{open_calls}; head {found.head}")
    return 0 if found.ok else 1


def _demo() -> None:
    from muxi.cli.demo import demonstrate

    demonstrate()
