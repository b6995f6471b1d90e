"""``muxi-client completion``: the script that makes a shell complete commands, options and operations."""

from __future__ import annotations

import click

from muxi.cli.program import COMPLETE, PROGRAM
from muxi.cli.terminal import answer

__all__ = ["command"]

_LINES = {
    "bash": 'eval "$(muxi-client completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(muxi-client completion zsh)"    # in ~/.zshrc, after compinit',
    "fish": "muxi-client completion fish | source    # in ~/.config/fish/config.fish",
}


@click.command("completion", epilog="bash: " + _LINES["bash"])
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete commands, options, profiles, formations and operations."""
    from click.shell_completion import get_completion_class

    root = context.find_root().command
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  click has all three
    answer(f"# {_LINES[shell]}")
    answer(_source(found, root, PROGRAM, COMPLETE))


def _source(cls: type, root: click.Command, program: str, variable: str) -> str:
    from click.shell_completion import BashComplete

    # That of bash asks the installed bash for its version first, which need not be there to print a script.
    complete = cls(root, {}, program, variable)
    if isinstance(complete, BashComplete):
        return complete.source_template % complete.source_vars()
    text: str = complete.source()
    return text
