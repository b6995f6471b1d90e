"""``muxi-client webhooks``: receive webhooks at a terminal, sign and verify them."""

from __future__ import annotations

import time
from typing import Any

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.lazy import Group
from muxi.cli.options import CommandTarget, target_options
from muxi.cli.output import print_json
from muxi.cli.terminal import answer, say

__all__ = ["command"]


@click.group("webhooks", cls=Group)
def command() -> None:
    """Receive, sign and verify the webhooks of a formation. They are signed with its admin key."""


@command.command("listen")
@click.option("--forward-to", "forward_to", metavar="URL", help="Send each webhook on to this address, as it came.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8002, show_default=True, help="The port; 0: a free one.")
@click.option("--json", "as_json", is_flag=True, help="Print each webhook as a line of JSON.")
@target_options()
def listen(forward_to: str | None, host: str, port: int, as_json: bool, target: CommandTarget) -> None:
    """Receive webhooks, print each with the verdict on its signature, and send them on.

    The formation has to reach this address; on another machine, a tunnel leads there. Ctrl-C ends it.
    """
    from muxi.cli.webhook_receiver import receive_webhooks

    receive_webhooks(host, port, target.settings.value("admin_key"), forward_to, as_json=as_json)


@command.command("sign")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--at", metavar="SECONDS", type=int, help="Time of the signature, since the epoch (default: now).")
@target_options()
def sign_file(file: Any, at: int | None, target: CommandTarget) -> None:
    """Print the signature of a payload (a file, or the input), as the header X-Muxi-Signature has it."""
    from muxi.webhook import sign

    answer(sign(file.read(), _admin_key(target), int(time.time()) if at is None else at))


@command.command("verify")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--signature", required=True, metavar="HEADER", help="The header X-Muxi-Signature.")
@click.option(
    "--tolerance", type=float, default=300.0, show_default=True, metavar="SECONDS", help="Age of a signature, at most."
)
@target_options()
def verify_file(file: Any, signature: str, tolerance: float, target: CommandTarget) -> None:
    """Verify a payload (a file, or the input), and print what it says. The exit code is 3 where it is refused."""
    from muxi.cli.webhook_receiver import describe_event
    from muxi.webhook import WebhookVerificationError, receive

    try:
        event = receive(file.read(), signature, _admin_key(target), tolerance)
    except WebhookVerificationError as error:
        raise CommandFailure(str(error), Exit.REFUSED) from error
    say("The signature is genuine.")
    print_json(describe_event(event))


def _admin_key(target: CommandTarget) -> str:
    found = target.settings.value("admin_key")
    if found is None:
        raise click.UsageError(
            "webhooks are signed with the admin key; set MUXI_ADMIN_KEY, or save it with the formation"
        )
    return found
