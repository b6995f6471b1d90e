"""The text that ``muxi-client serve`` prints when it is ready."""

from __future__ import annotations

import ipaddress

from muxi.cli.commands.serve.options import ServeOptions
from muxi_transports.memory import EmbeddedFormation, Served

__all__ = ["greeting"]


def greeting(served: Served, formation: EmbeddedFormation, options: ServeOptions) -> str:
    """The text, without the keys: those that were given stand there as variables of the shell."""
    client_key = "$MUXI_CLIENT_KEY" if options.client_key else "any"
    where = f"the Unix socket {served.path}" if served.path else served.url
    lines = [f"Serving the formation {formation.formation_id!r} at {where}, until Ctrl-C."]
    if options.server:
        lines.append(f"Its server is there too, with the formation behind /api/{formation.formation_id}.")
    if not served.path and not _is_loopback(served.host):
        lines.append(f"Other machines can reach it: it listens on {served.host}.")
    lines += ["", *_curl(served, client_key), "", *_python(served, formation, options), ""]
    return "\n".join(lines)


def _curl(served: Served, client_key: str) -> list[str]:
    socket = f" --unix-socket '{served.path}'" if served.path else ""
    address = "http://localhost" if served.path else served.url
    return [
        f"  curl -N{socket} {address}/v1/chat \\",
        f'    -H "X-Muxi-Client-Key: {client_key}" -H "X-Muxi-User-ID: ada" \\',
        """    -H "Content-Type: application/json" -d '{"message": "Hello!"}'""",
    ]


def _python(served: Served, formation: EmbeddedFormation, options: ServeOptions) -> list[str]:
    # A setting that is not given is read from the environment.
    key = "" if options.client_key else ', client_key="any"'
    lines = [f'  formation = muxi.FormationClient(url="{served.url}"{key})']
    if options.server:
        keys = "" if options.key_id else ', key_id="any", secret_key="any"'
        lines.append(f'  server = muxi.ServerClient(url="{served.url}"{keys})')
        lines.append(f'  behind = server.formation("{formation.formation_id}"{key})')
    return lines


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
