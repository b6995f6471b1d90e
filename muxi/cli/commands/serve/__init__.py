"""``muxi-client serve``: the embedded formation as a development server."""

from __future__ import annotations

import click

from muxi.cli.commands.serve.options import ServeOptions

__all__ = ["command"]


def _check_key(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        # Such as "$UNSET" in a shell: without this, every key would be accepted.
        raise click.BadParameter("the key is empty; leave the option out to accept any key")
    return value


def _check_given(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        # Such as "$UNSET" too: without this, a port would be opened in place of a socket.
        raise click.BadParameter("it is empty; leave the option out for the default")
    return value


def _check_pace(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not 0 <= value < 3600:  # which NaN is not either
        raise click.BadParameter(f"seconds are a number that is not negative, and below 3600, not {value}")
    return value


@click.command(
    "serve",
    epilog="The file of --script is described at docs/serve.md.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=_check_given,
    help="The address; the default is this machine alone.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="The port; 0: a free one.")
@click.option("--uds", metavar="PATH", callback=_check_given, help="Serve on a Unix socket instead.")
@click.option(
    "--script",
    metavar="FILE",
    callback=_check_given,
    help="A YAML file with what the agents reply; without it they echo.",
)
@click.option("--server", is_flag=True, help="Also run the management API, the formation behind it.")
@click.option("--client-key", metavar="KEY", callback=_check_key, help="The client key; without it any will do.")
@click.option("--admin-key", metavar="KEY", callback=_check_key, help="The admin key; without it any will do.")
@click.option(
    "--key-id", metavar="ID", callback=_check_key, help="With --server: the key that signs; without it any will do."
)
@click.option("--secret-key", metavar="KEY", callback=_check_key, help="With --key-id: its secret.")
@click.option(
    "--pace",
    type=float,
    callback=_check_pace,
    default=0.02,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two deltas of a stream.",
)
@click.option("--reload", is_flag=True, help="With --script: start anew whenever the file changes.")
def command(
    host: str,
    port: int,
    uds: str | None,
    script: str | None,
    server: bool,
    client_key: str | None,
    admin_key: str | None,
    key_id: str | None,
    secret_key: str | None,
    pace: float,
    reload: bool,
) -> None:
    """Run a formation without models as a development server.

    A front end, or an SDK in another language, can be developed against it without the platform. It answers as the
    real one does; what its agents say is yours to script. Ctrl-C ends it.
    """
    if bool(key_id) != bool(secret_key):
        raise click.UsageError("--key-id and --secret-key go together")
    if key_id and not server:
        raise click.UsageError("--key-id is for the management API; give --server too")
    if reload and not script:
        raise click.UsageError("--reload looks at the file of --script; give one")
    from muxi.cli.commands.serve.running import run

    run(ServeOptions(host, port, uds, script, server, client_key, admin_key, key_id, secret_key, pace, reload))
