"""The file of ``muxi-client serve --script``: what a formation is, what its agents reply, and what it begins with."""

from __future__ import annotations

from muxi.cli.commands.serve.script.document import ScriptError
from muxi.cli.commands.serve.script.reading import ServeScript, read_script

__all__ = ["ScriptError", "ServeScript", "read_script"]
