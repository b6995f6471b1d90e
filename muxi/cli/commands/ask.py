"""``muxi-client ask``: one message, and its answer on stdout."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.background import events_of
from muxi.cli.options import CommandTarget, target_options
from muxi.cli.output import plain, print_json
from muxi.cli.terminal import answer, is_terminal, say

if TYPE_CHECKING:
    from muxi.cli.json_schema import JsonSchema
    from muxi.formation import FormationClient

__all__ = ["command"]


@click.command("ask")
@click.argument("message", required=False)
@click.option("--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False), help="A file to send.")
@click.option("--agent", metavar="ID", help="The agent that answers.")
@click.option("-s", "--session", metavar="ID", help="The session that the message continues.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
@click.option("--events", is_flag=True, help="Print each event of the stream as a line of JSON.")
@click.option("--no-stream", is_flag=True, help="Wait for the whole answer.")
@click.option(
    "--schema", type=click.Path(exists=True, dir_okay=False), help="A JSON schema that the answer has to fit."
)
@target_options()
def command(
    message: str | None,
    files: tuple[str, ...],
    agent: str | None,
    session: str | None,
    as_json: bool,
    events: bool,
    no_stream: bool,
    schema: str | None,
    target: CommandTarget,
) -> None:
    """Send one message, and print the answer alone.

    What comes by standard input is appended to the message after a blank line, and alone it is the message:

        git diff | muxi-client ask "review this"
    """
    if sum((as_json, events, schema is not None)) > 1 or (events and no_stream):
        raise click.UsageError("--json, --events and --schema exclude each other, and --events needs the stream")
    text = joined(message, read_input())
    checked = _read_schema(schema) if schema else None
    payload: dict[str, Any] = {"message": text if checked is None else _with_schema(text, checked)}
    payload.update({name: value for name, value in (("agent_id", agent), ("session_id", session)) if value})
    # Ctrl-C closes the stream, which cancels the turn.
    with target.formation_client(cancel_on_close=True) as formation:
        call: dict[str, Any] = {"user_id": target.user_id or "", "files": list(files) or None}
        if checked is not None:
            _print_checked(formation, payload, call, checked)
        elif events:
            with formation.chat_stream(payload, **call) as stream:
                for event in events_of(stream):
                    print_json(plain(event), indent=None)
                stream.result()
        elif as_json or no_stream:
            _print_whole(formation, payload, call, as_json=as_json)
        else:
            _print_stream(formation, payload, call)


def joined(message: str | None, piped: str | None) -> str:
    """Return the text of the message: the argument, a blank line, and the input.

    Raises:
        UsageError: there is neither.
    """
    parts = [part for part in (message, piped) if part and part.strip()]
    if not parts:
        raise click.UsageError('there is no message; give one, as in: muxi-client ask "Hello!"')
    return "\n\n".join(parts)


def read_input() -> str | None:
    """Return standard input if it is a pipe or a file; None at a terminal."""
    if sys.stdin is None or sys.stdin.closed or is_terminal(sys.stdin):
        return None
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError("the input is not UTF-8 text; send it as a file: --file PATH") from None


def _print_stream(formation: FormationClient, payload: dict[str, Any], call: dict[str, Any]) -> None:
    last = ""
    with formation.chat_stream(payload, **call) as stream:
        try:
            for event in events_of(stream):
                if event["type"] == "text" and event.get("text"):
                    last = event["text"]
                    answer(last, end="")
            found = stream.result()
        finally:
            # Also before an error, which begins a line of its own.
            if last and not last.endswith("\n"):
                answer("")
    _note_pending(found)


def _print_whole(formation: FormationClient, payload: dict[str, Any], call: dict[str, Any], *, as_json: bool) -> None:
    found = formation.chat(payload, **call)
    if as_json:
        print_json(plain(found))
    else:
        text = found["message"].get("content") or ""
        answer(text, end="" if text.endswith("\n") or not text else "\n")
        _note_pending(found["message"])


def _note_pending(message: Any) -> None:
    from muxi.answers import pending

    if turn := pending({"message": message}):
        say(f"The formation goes on in the background: muxi-client call wait_for_request {turn.request_id}")


def _read_schema(path: str) -> JsonSchema:
    from muxi.cli.json_schema import JsonSchema

    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return JsonSchema(json.loads(text))
    except ValueError as error:
        raise click.UsageError(f"--schema: {path}: {error}") from None


def _with_schema(text: str, schema: JsonSchema) -> str:
    # The runtime knows nothing of schemas; the message has to ask.
    shown = json.dumps(schema.schema, ensure_ascii=False)
    return f"{text}\n\nAnswer with JSON alone, without any other text, that fits this JSON schema:\n{shown}"


def _print_checked(formation: FormationClient, payload: dict[str, Any], call: dict[str, Any], schema: Any) -> None:
    from muxi.cli.exits import CommandFailure
    from muxi.errors import ValidationError

    try:
        print_json(formation.chat_parsed(payload, schema, **call))
    except ValidationError as error:
        if error.code not in ("ANSWER_INVALID", "ANSWER_NOT_JSON"):
            raise
        wrong = [
            f"{problem['field'] or 'the answer'}: {problem['msg']}" for problem in error.details["validation_errors"]
        ]
        raise CommandFailure(f"{error.message}: {'; '.join(wrong[:5])}") from error
