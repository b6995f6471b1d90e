"""``muxi-client call``: any operation of both clients, and any route."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.options import CommandTarget, output_options, target_options
from muxi.cli.output import OutputFormat, plain, print_json, show
from muxi.cli.terminal import answer, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from muxi.cli.operations import CatalogueEntry
    from muxi.formation import FormationClient

__all__ = ["command"]

#: Items of an iterator that are printed without ``--all``.
_SOME = 20


def _complete_operation(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from muxi.cli.operations import catalogue

    known = catalogue()
    twice = {entry.name for entry in known if sum(other.name == entry.name for other in known) > 1}
    names = {entry.full_name if entry.name in twice or "." in incomplete else entry.name: entry for entry in known}
    return [CompletionItem(name, help=entry.summary) for name, entry in names.items() if name.startswith(incomplete)]


def _complete_argument(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from muxi.cli.operations import find_operation

    try:
        entry = find_operation(context.params.get("operation") or "")
    except click.UsageError:
        return []
    given = {text.partition("=")[0] for text in context.params.get("arguments") or ()}
    names = [f"{name}=" for name in entry.parameters if name not in given]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.command("call", add_help_option=False)
@click.argument("operation", required=False, shell_complete=_complete_operation)
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...", shell_complete=_complete_argument)
@click.option("--list", "listed", is_flag=True, help="List the operations, or those that match a pattern.")
@click.option("--raw", is_flag=True, help="Call a route: METHOD PATH [BODY as JSON].")
@click.option("-q", "query_items", multiple=True, metavar="NAME=VALUE", help="With --raw: a parameter of the query.")
@click.option("--admin", is_flag=True, help="With --raw: send the admin key.")
@click.option("--all", "all_items", is_flag=True, help=f"Print all items of an iterator, not the first {_SOME}.")
@click.option("-h", "--help", "help_wanted", is_flag=True, help="Show this message, or that of an operation.")
@target_options()
@output_options("json")
@click.pass_context
def command(
    context: click.Context,
    operation: str | None,
    arguments: tuple[str, ...],
    listed: bool,
    raw: bool,
    query_items: tuple[str, ...],
    admin: bool,
    all_items: bool,
    help_wanted: bool,
    target: CommandTarget,
    output: OutputFormat,
) -> None:
    """Call any operation of a formation or a server, and print its result.

    Values: name=text, name:=JSON, name=@FILE for the text of a file, name:=@FILE for the JSON of one; or values alone,
    in the order of the parameters. The user is that of --user where the operation takes one.

        muxi-client call get_memories limit=5

        muxi-client call formation.health -o table

        muxi-client call --raw GET /v1/agents -q limit=5
    """
    from muxi.cli.operations import find_operation

    if listed:
        _list(operation, output if _asked_for_format(context) else OutputFormat("table", output.query))
    elif help_wanted:
        answer(_describe(find_operation(operation)) if operation and not raw else context.get_help())
    elif operation is None:
        raise click.UsageError("which operation? muxi-client call --list has all of them", context)
    elif raw:
        _call_raw(operation, arguments, query_items, admin, target, output)
    elif query_items or admin:
        raise click.UsageError("-q and --admin are for --raw", context)
    else:
        _call(find_operation(operation), arguments, target, output, all_items)


def _asked_for_format(context: click.Context) -> bool:
    return context.get_parameter_source("format") is not click.core.ParameterSource.DEFAULT


def _list(pattern: str | None, output: OutputFormat) -> None:
    from muxi.cli.operations import catalogue

    wanted = f"*{pattern}*" if pattern and not set(pattern) & set("*?[") else pattern
    rows = [
        {"name": entry.full_name, "kind": entry.kind, "summary": entry.summary}
        for entry in catalogue()
        if not wanted or fnmatch(entry.name, wanted) or fnmatch(entry.full_name, wanted)
    ]
    if not rows:
        say(f"There is no operation like {pattern!r}.")
    show(rows, output, ("name", "kind", "summary"))


def _describe(entry: CatalogueEntry) -> str:
    return f"Usage: muxi-client call {entry.usage()}\n\n{inspect.getdoc(entry.function) or ''}"


def _call(
    entry: CatalogueEntry, texts: tuple[str, ...], target: CommandTarget, output: OutputFormat, all_items: bool
) -> None:
    from muxi.cli.operations import arguments_of, missing_arguments

    given = arguments_of(entry, texts)
    if "user_id" in entry.parameters and "user_id" not in given and target.user_id:
        given["user_id"] = target.user_id
    if missing := missing_arguments(entry, given):
        raise click.UsageError(f"{', '.join(missing)} is missing: muxi-client call {entry.usage()}")
    with target.formation_client() if entry.client == "formation" else target.server_client() as client:
        found = getattr(client, entry.name)(**given)
        if entry.kind == "stream":
            with found as stream:
                _print_events(stream, output)
        elif entry.kind == "pages":
            _print_items(found, output, all_items)
        else:
            show(found, output)


def _print_events(stream: Iterator[Any], output: OutputFormat) -> None:
    from muxi.cli.output import search

    for event in stream:
        data = plain(event)
        print_json(search(output.query, data) if output.query else data, indent=None)


def _print_items(items: Iterator[Any], output: OutputFormat, all_items: bool) -> None:
    found = list(items) if all_items else list(islice(items, _SOME + 1))
    show(found if all_items else found[:_SOME], output)
    if not all_items and len(found) > _SOME:
        say(f"These are the first {_SOME}; --all prints all.")


def _call_raw(
    method: str,
    arguments: tuple[str, ...],
    query_items: tuple[str, ...],
    admin: bool,
    target: CommandTarget,
    output: OutputFormat,
) -> None:
    if not 1 <= len(arguments) <= 2 or not arguments[0].startswith("/") or not method.isalpha():
        raise click.UsageError("--raw takes a method, a path and perhaps a body: call --raw GET /v1/agents")
    path = arguments[0]
    # Braces stand for themselves here, and name no parameters of the route.
    route = path.replace("{", "%7B").replace("}", "%7D")
    given: dict[str, Any] = {
        "query": dict(_pair(item) for item in query_items),
        "body": _body(arguments[1]) if len(arguments) == 2 else None,
    }
    if path.startswith("/v1/"):
        # The formation's client has the version in its address.
        given["user_id"] = target.user_id
        with target.formation_client() as formation:
            show(_request(formation, method, route.removeprefix("/v1"), given, admin, target), output)
    else:
        with target.server_client() as server:
            show(server.request(method, route, **given), output)


def _request(
    formation: FormationClient, method: str, route: str, given: dict[str, Any], admin: bool, target: CommandTarget
) -> Any:
    """Call a route with the client key, and with the admin key where that is refused, and so has done nothing."""
    from muxi.errors import AuthenticationError

    if admin:
        return formation.request(method, route, key="admin", **given)
    try:
        return formation.request(method, route, **given)
    except AuthenticationError:
        if not {"client_key", "admin_key"} <= target.settings.formation().keys():
            raise
    say("The client key was refused; this is the answer to the admin key.")
    return formation.request(method, route, key="admin", **given)


def _body(text: str) -> Any:
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"the body is not JSON: {error}") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"-q takes NAME=VALUE, got {text!r}")
    return name, value
