"""``muxi-client serve``: the embedded formation as a development server."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_serve"]


def add_serve(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "serve",
        help="run a formation without models as a development server",
        description=(
            "Run a formation without models as a development server, so that a front end, or an SDK in another "
            "language, can be developed without the platform. It answers as the real one does; what its agents say is "
            "yours to script. Ctrl-C ends it."
        ),
        epilog="The file of --script is described at docs/serve.md.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=_port, default=8001, help="the port (default: %(default)s); 0 takes a free one")
    parser.add_argument("--uds", metavar="PATH", help="serve on a Unix socket instead")
    parser.add_argument("--script", metavar="FILE", help="a YAML file with what the agents reply; without it they echo")
    parser.add_argument("--server", action="store_true", help="also run the management API, the formation behind it")
    parser.add_argument("--client-key", type=_key, metavar="KEY", help="the client key; without it any will do")
    parser.add_argument("--admin-key", type=_key, metavar="KEY", help="the admin key; without it any will do")
    parser.add_argument(
        "--key-id", type=_key, metavar="ID", help="with --server: the key that signs; without it any will do"
    )
    parser.add_argument("--secret-key", type=_key, metavar="KEY", help="with --key-id: its secret")
    parser.add_argument(
        "--pace",
        type=_seconds,
        default=0.02,
        metavar="SECONDS",
        help="seconds between two deltas of a stream (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    problem = None
    if bool(arguments.key_id) != bool(arguments.secret_key):
        problem = "--key-id and --secret-key go together"
    elif arguments.key_id and not arguments.server:
        problem = "--key-id is for the management API; give --server too"
    if problem:
        print(f"muxi-client serve: error: {problem}", file=sys.stderr)
        return 2
    from muxi.cli.serve.running import run

    return run(arguments)


def _key(text: str) -> str:
    if not text.strip():
        # Such as "$UNSET" in a shell: without this, every key would be accepted.
        raise argparse.ArgumentTypeError("the key is empty; leave the option out to accept any key")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 3600:
        raise argparse.ArgumentTypeError(f"seconds are a number that is not negative, not {text!r}")
    return seconds
