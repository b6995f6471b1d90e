"""The prompt of a conversation: prompt-toolkit on a terminal, lines of the input elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from muxi.cli.terminal import is_terminal

__all__ = ["make_prompt"]

#: Returns the next input. Raises EOFError at its end, and KeyboardInterrupt on Ctrl-C.
Prompt = Callable[[], str]


def make_prompt(words: Sequence[str]) -> Prompt:
    """Return the prompt for this terminal, with the history of earlier conversations.

    Args:
        words: commands that it completes.
    """
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return _read_line
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory
    except ModuleNotFoundError as error:
        from muxi.errors import MissingExtraError

        raise MissingExtraError("chat needs prompt-toolkit: pip install 'muxi-client[cli]'") from error
    session: PromptSession[str] = PromptSession(
        history=FileHistory(history_path()),
        completer=WordCompleter(list(words), sentence=True),
        complete_while_typing=False,
        enable_open_in_editor=True,
    )
    return lambda: session.prompt("> ")


def history_path() -> str:
    """Return the path of the history, a file that only its owner reads."""
    from platformdirs import user_state_dir

    folder = user_state_dir("muxi-client")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "chat-history")
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return path


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
