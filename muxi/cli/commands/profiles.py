"""``muxi-client profiles``: servers by name, in the files of the platform's own command."""

from __future__ import annotations

import sys

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.lazy import Group
from muxi.cli.options import CommandTarget, complete_profiles, output_options, target_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.terminal import is_terminal, say

__all__ = ["command"]


@click.group("profiles", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Servers and their keys by name, in ~/.muxi/cli/profiles.yaml.

    The platform's own command reads and writes the same file. Keys are shown as fingerprints only. Without a command
    the profiles are listed.
    """
    if context.invoked_subcommand is None:
        show(_rows(), OutputFormat(), _COLUMNS)


_COLUMNS = ("name", "default", "url", "key_id", "secret_key", "source")


@command.command("list")
@output_options()
def list_profiles(output: OutputFormat) -> None:
    """List the profiles."""
    show(_rows(), output, _COLUMNS)


@command.command("show")
@target_options(user=True)
@output_options()
def show_settings(target: CommandTarget, output: OutputFormat) -> None:
    """Show which settings commands would use here, and where each came from."""
    rows = [{"setting": found.name, "value": found.shown, "source": found.source} for found in target.settings.values()]
    show(rows, output, ("setting", "value", "source"))


@command.command("add")
@click.argument("name")
@click.option("--server", "url", metavar="URL", help="The server's address.")
@click.option("--key-id", metavar="ID", help="The public half of its key pair.")
@click.option("--use", is_flag=True, help="Make it the default.")
@click.option("--no-check", is_flag=True, help="Save it without asking the server.")
def add(name: str, url: str | None, key_id: str | None, use: bool, no_check: bool) -> None:
    """Save a server under a name, after a signed request to it.

    What is not given is asked for. The secret key is asked for without an echo; where the input is not a terminal, it
    is the first line of it.
    """
    from muxi.config import ServerConfig
    from muxi.profiles import ProfileStore, ServerProfile

    store = ProfileStore()
    url = url or _ask("Server URL", default="http://localhost:7890")
    key_id = key_id or _ask("Key id")
    secret = _ask_secret()
    address = ServerConfig(url=url, key_id=key_id, secret_key=secret).resolved().address().base_url
    if not no_check:
        from muxi.server import ServerClient

        with ServerClient(url=url, key_id=key_id, secret_key=secret, max_retries=0) as server:
            server.status()
    store.add(ServerProfile(name, address, key_id, secret))
    if use:
        store.use(name)
    default = " It is the default." if store.default_name() == name else ""
    say(f"The profile {name} is saved in {store.path('profiles.yaml')}.{default}")


@command.command("use")
@click.argument("name", shell_complete=complete_profiles)
def use_profile(name: str) -> None:
    """Make a profile the default."""
    from muxi.profiles import ProfileStore

    _known(name)
    ProfileStore().use(name)
    say(f"The profile {name} is the default.")


@command.command("remove")
@click.argument("name", shell_complete=complete_profiles)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Remove a profile, with its keys."""
    from muxi.profiles import ProfileStore

    _known(name)
    if not yes:
        if not is_terminal(sys.stdin):
            raise click.UsageError("removing a profile asks first; give --yes where no terminal is there to answer")
        click.confirm(f"Remove the profile {name}?", abort=True, err=True)
    ProfileStore().remove(name)
    say(f"The profile {name} is removed.")


def _known(name: str) -> None:
    from muxi.profiles import ProfileStore
    from muxi.profiles.store import unknown_profile

    known = ProfileStore().profiles()
    if name not in known:
        raise CommandFailure(unknown_profile(name, known), Exit.NOT_FOUND)


def _rows() -> list[dict[str, object]]:
    from muxi.profiles import ProfileStore, fingerprint

    store = ProfileStore()
    default = store.default_name()
    found = store.profiles().values()
    if not found:
        say("There are no profiles yet. Add one with: muxi-client profiles add NAME")
    return [
        {
            "name": profile.name,
            "default": profile.name == default,
            "url": profile.url,
            "key_id": profile.key_id,
            "secret_key": fingerprint(profile.secret_key) if profile.secret_key else None,
            "source": profile.source,
        }
        for profile in found
    ]


def _ask(what: str, default: str | None = None) -> str:
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"{what}: give it as an option where no terminal is there to ask")
    found: str = click.prompt(what, default=default, err=True)
    return found


def _ask_secret() -> str:
    if is_terminal(sys.stdin):
        secret: str = click.prompt("Secret key", hide_input=True, err=True)
        return secret
    secret = sys.stdin.readline().strip()
    if not secret:
        raise click.UsageError("the secret key is read from the first line of the input, which is empty")
    return secret
