"""``muxi-client cassette``: recorded exchanges in files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.lazy import Group
from muxi.cli.options import output_options
from muxi.cli.output import OutputFormat, show
from muxi.cli.terminal import answer, say

if TYPE_CHECKING:
    from muxi_transports.recorded import Cassette, Exchange

__all__ = ["command"]

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False))


@click.group("cassette", cls=Group)
def command() -> None:
    """List, show and scrub recorded exchanges."""


def _open(file: str) -> Cassette:
    from muxi_transports.recorded import Cassette

    return Cassette(file)


@command.command("ls")
@_FILE
@output_options()
def list_exchanges(file: str, output: OutputFormat) -> None:
    """List the exchanges of a cassette."""
    rows = [_row(number, exchange) for number, exchange in enumerate(_open(file).exchanges, 1)]
    show(rows, output, ("number", "method", "url", "status", "bytes", "seconds"))


def _row(number: int, exchange: Any) -> dict[str, Any]:
    response, error = exchange.response, exchange.error
    status = response.status if response is not None else error.type if error is not None else None
    body = list(response.chunks) if response is not None else []
    return {
        "number": number,
        "method": exchange.request.method,
        "url": exchange.request.url,
        "status": status,
        "bytes": sum(len(chunk.content) for chunk in body),
        "seconds": round(body[-1].at, 3) if body else None,
    }


@command.command("show")
@_FILE
@click.argument("number", type=click.IntRange(1))
def show_exchange(file: str, number: int) -> None:
    """Show one exchange: request, answer and the times of its pieces."""
    exchanges = _open(file).exchanges
    if number > len(exchanges):
        raise CommandFailure(f"{file} has {len(exchanges)} exchanges, and none of number {number}", Exit.NOT_FOUND)
    exchange = exchanges[number - 1]
    request = exchange.request
    answer(f"{request.method} {request.url}")
    for name, value in request.headers.items():
        answer(f"{name}: {value}")
    if request.content:
        answer("")
        answer(_text(request.content))
    if exchange.response is not None:
        answer(f"\n{exchange.response.status} {exchange.response.reason}")
        for name, value in exchange.response.headers.items():
            answer(f"{name}: {value}")
        answer("")
        answer(_text(exchange.response.content))
    if exchange.error is not None:
        answer(f"\n{exchange.error.type} after {exchange.error.at:g} s: {exchange.error.message}")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


@command.command("scrub")
@_FILE
@click.option("--secret", "secrets", multiple=True, metavar="VARIABLE", help="Also hide the value of a variable.")
@click.option("--check", is_flag=True, help="Change nothing; the exit code is 1 where something would be changed.")
def scrub(file: str, secrets: tuple[str, ...], check: bool) -> None:
    """Replace keys and secrets in a cassette, by the rules by which they are replaced while recording.

    The file is written anew, in the form in which it is recorded; comments that were added to it are lost.
    """
    before = _open(file).exchanges
    after = _scrub(before, _values(secrets))
    if before == after:
        say(f"{file}: there is nothing to hide")
        return
    if check:
        raise CommandFailure(f"{file} has secrets in it; scrub it without --check")
    from muxi_transports.recorded import writing

    beside = Path(f"{file}.new")
    beside.write_text(writing.HEAD + "".join(map(writing.dump, after)), encoding="utf-8")
    beside.replace(file)
    say(f"{file}: secrets are replaced")


def _scrub(exchanges: tuple[Exchange, ...], values: list[str]) -> tuple[Exchange, ...]:
    from muxi_transports.recorded import Scrubber

    scrubber = Scrubber(values=values)
    # A secret of one exchange may turn up in an earlier one.
    for exchange in exchanges:
        scrubber.learn(exchange.request)
    return tuple(scrubber.exchange(exchange) for exchange in exchanges)


def _values(variables: tuple[str, ...]) -> list[str]:
    for name in variables:
        if not os.environ.get(name):
            raise click.UsageError(f"--secret {name}: there is no such variable, or it is empty")
    return [os.environ[name] for name in variables]
