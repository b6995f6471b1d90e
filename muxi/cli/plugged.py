"""The commands of plugins: those that installed distributions register by ``muxi_register_commands``."""

from __future__ import annotations

from muxi.cli.terminal import say
from muxi.commands import CommandRegistry

__all__ = ["add_plugged_commands"]

#: The entry-point group of plugins: ``muxi.hookspecs.PROJECT``, which would be slow to load for a list of commands.
GROUP = "muxi"


def add_plugged_commands(registry: CommandRegistry) -> None:
    """Ask each installed plugin for its commands.

    A plugin that fails is reported on stderr, and the commands of the others are there all the same.

    Args:
        registry: where the commands go.
    """
    from muxi.installed import announced

    names = [point.name for point in announced(GROUP)]
    if not names:
        return
    from muxi.errors import MuxiError
    from muxi.hooks.installed import installed_plugins
    from muxi.hooks.registration import implementations_of, registered

    for name in names:
        try:
            found = installed_plugins([other for other in names if other != name])
            manager = registered(found, asynchronous=True)
            for implementation in implementations_of(manager, "muxi_register_commands"):
                implementation.function(*[registry for _ in implementation.arguments])
        except MuxiError as error:
            say(f"muxi-client: warning: {error}")
        except Exception as error:
            # A plugin's own function: the other commands do not depend on it.
            say(f"muxi-client: warning: the plugin {name!r} cannot add its commands: {type(error).__name__}: {error}")
