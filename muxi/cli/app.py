"""The command line: its root, and the report of errors."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import click

from muxi.cli.commands import builtin_commands
from muxi.cli.lazy import LazyGroup
from muxi.cli.plugged import add_plugged_commands
from muxi.cli.program import COMPLETE, PROGRAM
from muxi.cli.terminal import discard_stdout, say
from muxi.version import __version__

__all__ = ["root", "run"]


def root() -> click.Group:
    """Return the command with all its subcommands; none of them is loaded."""
    group = LazyGroup(
        builtin_commands(),
        add_plugged_commands,
        name=PROGRAM,
        help="The Python SDK for MUXI, at a terminal.",
        epilog="The answer goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong use, "
        "3 refused, 4 not found, 130 interrupted.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")(group)
    return group


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name.

    Returns:
        The exit code; see :class:`muxi.cli.exits.Exit`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    group = root()
    if instruction := os.environ.get(COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, PROGRAM, COMPLETE, instruction)
    try:
        with warnings.catch_warnings():
            with group.make_context(PROGRAM, given) as context:
                _report_conflicts()
                group.invoke(context)
            _flush()
    except click.exceptions.Exit as finished:
        # --help and --version have printed, and a command may have chosen a code of its own.
        return _finish(finished.exit_code)
    except click.ClickException as error:
        return _finish(_report_usage(error))
    except (KeyboardInterrupt, click.Abort):
        say("\nmuxi-client: interrupted")
        return _finish(130)
    except BrokenPipeError:
        # The reader of a pipe has closed it.
        discard_stdout()
        return 1
    except Exception as error:
        return _finish(_report(error))
    return 0


def _report_conflicts() -> None:
    from muxi.client.environment import conflicts

    for conflict in conflicts():
        say(f"muxi-client: warning: {conflict}")
    if conflicts():
        # Each client would warn again.
        warnings.simplefilter("ignore", RuntimeWarning)


def _report_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say(error.message)
        return 2
    if context is not None:
        say(context.get_usage())
        say(f"Try '{context.command_path} --help' for its arguments.")
    say(f"muxi-client: {error.format_message()}")
    return error.exit_code


def _report(error: Exception) -> int:
    from muxi.cli.exits import CommandFailure, exit_of
    from muxi.errors import MuxiError

    if isinstance(error, CommandFailure):
        message = error.message
    elif isinstance(error, MuxiError):
        message = str(error)
    elif isinstance(error, UnicodeEncodeError):
        missing = error.object[error.start]
        message = f"the output is {error.encoding}, and cannot have {missing!a}; set PYTHONIOENCODING=utf-8"
        discard_stdout()
    elif isinstance(error, OSError):
        what = error.filename if error.filename is not None else "the output cannot be written"
        message = f"{what}: {error.strerror or error}"
        discard_stdout()
    else:
        raise error
    if message:
        say(f"muxi-client: {message}")
    return exit_of(error)


def _finish(code: int) -> int:
    """Return the exit code, after writing what is in the buffer of stdout."""
    try:
        _flush()
    except BrokenPipeError:
        discard_stdout()
        return code or 1
    except OSError as error:
        return max(code, _report(error))
    return code


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
