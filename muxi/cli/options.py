"""Options that several commands have, and the clients and the output that they lead to.

A command that talks to a formation or a server is decorated with :func:`target_options`, and gets a
:class:`CommandTarget`; one that prints a result with :func:`output_options`, and gets an
:class:`~muxi.cli.output.OutputFormat`::

    @click.command("agents")
    @target_options()
    @output_options()
    def command(target: CommandTarget, output: OutputFormat) -> None:
        with target.formation_client() as formation:
            show(formation.list_agents(), output)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from muxi.cli.output import FORMATS, OutputFormat

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from muxi.formation import FormationClient
    from muxi.profiles import ChosenSettings
    from muxi.server import ServerClient

__all__ = ["CommandTarget", "brings_address", "output_options", "target_options"]

F = TypeVar("F", bound=Callable[..., Any])


def brings_address() -> bool:
    """Tell whether the transport of ``MUXI_TRANSPORT`` leads to one place, such as the world in memory."""
    from muxi.registry import chosen_transport, transport_defaults

    return "url" in transport_defaults(chosen_transport(None))


@dataclass(frozen=True)
class CommandTarget:
    """The formation and the server that a command is for.

    Args:
        profile: ``--profile``.
        formation: ``--formation``.
        url: ``--url``.
        user: ``--user``.
        draft: ``--draft``.
    """

    profile: str | None = None
    formation: str | None = None
    url: str | None = None
    user: str | None = None
    draft: bool = False
    #: False where only a server is needed.
    for_formation: bool = True

    @cached_property
    def settings(self) -> ChosenSettings:
        """All settings with their sources.

        Raises:
            ConfigurationError: a profile does not exist, or a file cannot be read.
        """
        from muxi.profiles import GivenSettings, choose

        return choose(GivenSettings(self.profile, self.formation, self.url, self.user, self.for_formation))

    def formation_client(self, **options: Any) -> FormationClient:
        """Return a client of the formation.

        Args:
            options: fields of :class:`muxi.config.FormationConfig` besides address and keys.

        Raises:
            UsageError: no formation is chosen; the message lists the ways to choose one.
        """
        from muxi.formation import FormationClient

        return FormationClient(**self.formation_settings(**options))

    def formation_settings(self, **options: Any) -> dict[str, Any]:
        """Return the fields of a :class:`muxi.config.FormationConfig` for the formation, its keys among them.

        Args:
            options: further fields.

        Raises:
            UsageError: as for :meth:`formation_client`.
        """
        found: dict[str, Any] = {**self.settings.formation(), **options}
        if self.draft:
            found["mode"] = "draft"
        if "url" not in found and not {"server_url", "formation_id"} <= found.keys() and not brings_address():
            missing = "server" if "formation_id" in found else "formation"
            raise click.UsageError(_MISSING[missing])
        return found

    def server_client(self, **options: Any) -> ServerClient:
        """Return a client of the server.

        Args:
            options: fields of :class:`muxi.config.ServerConfig` besides address and keys.

        Raises:
            UsageError: no server is chosen; the message lists the ways to choose one.
        """
        from muxi.server import ServerClient

        found: dict[str, Any] = {**self.settings.server(), **options}
        if "url" not in found and not brings_address():
            raise click.UsageError(_MISSING["server"])
        return ServerClient(**found)

    @property
    def formation_id(self) -> str | None:
        """The id of the formation, where one is chosen."""
        return self.settings.value("formation_id")

    @property
    def user_id(self) -> str | None:
        """The user's id, where one is chosen."""
        return self.settings.value("user_id")


_MISSING = {
    "formation": "which formation? Give --formation ID, or --url URL for one without a server (or set "
    "MUXI_FORMATION_ID or MUXI_FORMATION_URL), or run this in the folder of a formation",
    "server": "which server? Give --profile NAME (muxi-client profiles add makes one), or set MUXI_SERVER_URL",
}


def target_options(*, formation: bool = True, user: bool = True) -> Callable[[F], F]:
    """Give a command the options that choose formation and server; it gets them as ``target``.

    Args:
        formation: whether it talks to a formation, besides a server.
        user: whether it acts for a user.
    """
    options = [
        click.option(
            "-p", "--profile", metavar="NAME", shell_complete=complete_profiles, help="The server, by its profile."
        )
    ]
    if formation:
        options += [
            click.option("-F", "--formation", metavar="ID", shell_complete=complete_formations, help="The formation."),
            click.option("--url", metavar="URL", help="A formation by itself, without a server."),
            click.option("--draft", is_flag=True, help="The formation's draft."),
        ]
    if user:
        options.append(click.option("-u", "--user", metavar="ID", help="The user."))
    names = ["profile", *(["formation", "url", "draft"] if formation else []), *(["user"] if user else [])]

    def pack(found: dict[str, Any]) -> CommandTarget:
        return CommandTarget(**found, for_formation=formation)

    return _packed("target", names, options, pack)


def output_options(default: str = "table") -> Callable[[F], F]:
    """Give a command ``-o`` and ``--query``; it gets them as ``output``.

    Args:
        default: the format where none is asked for.
    """
    options = [
        click.option(
            "-o", "--output", "format", type=click.Choice(FORMATS), default=default, show_default=True,
            help="Format of the result.",
        ),
        click.option("--query", metavar="JMESPATH", help="Print a part of the result."),
    ]  # fmt: skip

    def pack(found: dict[str, Any]) -> OutputFormat:
        return OutputFormat(**found)

    return _packed("output", ["format", "query"], options, pack)


def _packed(
    name: str, options: list[str], decorators: list[Callable[[Any], Any]], pack: Callable[[dict[str, Any]], object]
) -> Callable[[F], F]:
    """Return a decorator that adds options and hands them over as one argument."""

    def decorate(function: F) -> F:
        @wraps(function)
        def packed(*args: Any, **kwargs: Any) -> Any:
            kwargs[name] = pack({option: kwargs.pop(option) for option in options})
            return function(*args, **kwargs)

        made: Any = packed
        for decorator in reversed(decorators):
            made = decorator(made)
        found: F = made
        return found

    return decorate


def complete_profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from muxi.profiles import ProfileStore

    return _completions(ProfileStore().profiles(), incomplete)


def complete_formations(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from muxi.profiles import ProfileStore

    return _completions(ProfileStore().formations(), incomplete)


def _completions(names: Any, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
