"""``muxi-client batch``: a file of prompts in, a file of answers out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import click

from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.options import CommandTarget, target_options
from muxi.cli.terminal import say

if TYPE_CHECKING:
    from muxi.batch import BatchProgress, ClientRecipe
    from muxi.cli.commands.batch.prompts import Prompts

__all__ = ["command"]


@click.command("batch")
@click.argument("prompts", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", metavar="FILE", required=True, help="The answers, one JSON line for each prompt.")
@click.option("--failures", metavar="FILE", help="Prompts that failed, to be fed again.  [default: beside --to]")
@click.option("--template", metavar="TEXT", help="The message, with fields of the prompt in braces.")
@click.option("--concurrency", metavar="N", type=click.IntRange(1, 10_000), default=16, show_default=True,
              help="Most chats at a time.")  # fmt: skip
@click.option("--rate", metavar="N", type=click.FloatRange(0, min_open=True), help="Most requests per second.")
@click.option("--retry-budget", metavar="N", type=click.IntRange(0), help="Most retries of all chats together.")
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0, min_open=True), default=300.0,
              show_default=True, help="Longest time of one attempt.")  # fmt: skip
@click.option("--ordered", is_flag=True, help="Answers in the order of the prompts.")
@click.option("--whole", is_flag=True, help="Whole results, not only their texts.")
@click.option("--resume", is_flag=True, help="Go on with an earlier run, if there was one.")
@click.option("--executor", type=click.Choice(["threads", "processes", "dask"]), default="threads", show_default=True,
              help="Where the chats run.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS", help="The scheduler of Dask.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@target_options()
def command(
    prompts: str,
    to: str,
    failures: str | None,
    template: str | None,
    timeout: float,
    whole: bool,
    resume: bool,
    executor: str,
    scheduler: str | None,
    quiet: bool,
    target: CommandTarget,
    **settings: Any,
) -> None:
    """Send each prompt of a file, and write each answer as it comes.

    PROMPTS has a JSON text or object on each line ({"message": ..., "user_id": ..., "session_id": ..., "id": ...}), or
    is CSV with a header. What has been answered is in TO.journal before it is in TO, so that a run that was killed goes
    on with --resume: no chat is done twice, none is lost.

    \b
    muxi-client batch prompts.jsonl --to answers.jsonl --concurrency 50
    muxi-client batch reviews.csv --template "Is this review kind? {text}" --to kind.jsonl
    muxi-client batch answers.failed.jsonl --to again.jsonl

    Exit codes: 0 all answered, 1 some failed, 3 all refused, 130 interrupted; --resume goes on.
    """
    from muxi.batch import run
    from muxi.cli.commands.batch.files import LineFile, answer_record, failure_record
    from muxi.cli.commands.batch.prompts import Prompts, PromptTemplate
    from muxi.cli.commands.batch.watching import watching
    from muxi.errors import AuthenticationError, AuthorizationError

    if (scheduler is not None) != (executor == "dask"):
        raise click.UsageError("--scheduler ADDRESS goes with --executor dask, and that with it")
    journal = f"{to}.journal"
    failures = failures or _failures_beside(to)
    _check_paths(prompts, to, failures, journal, resume=resume)
    calls = Prompts(prompts, None if template is None else PromptTemplate(template), target.user_id)
    total = len(calls)  # checks every record, before anything is sent
    refused = 0
    with _executor(executor, scheduler) as pool:
        recipe = _recipe(target, timeout, shared=executor != "threads")
        with (
            _explaining_interrupts(),
            watching(quiet=quiet) as show,
            run(calls, recipe, executor=pool, journal=journal, progress=show, total=total, **settings) as results,
        ):
            # After the journal has been locked: another process may be writing these files.
            answers, failed = LineFile(to, resume=resume), LineFile(failures, resume=resume)
            records = _Records(calls)
            try:
                for seen, result in enumerate(results, 1):
                    record = records.pop(result.position)
                    answers.write(result.position, answer_record(result, record, whole=whole))
                    if result.error is not None:
                        failed.write(result.position, failure_record(result, record))
                        refused += isinstance(result.error, AuthenticationError | AuthorizationError)
                        if refused == seen == _ENOUGH_REFUSALS:
                            raise result.error  # all others would be refused too
            finally:
                answers.close()
                failed.close()
                counts = results.progress
    if not counts.failed:
        os.unlink(failures)
    if not quiet:
        _summarise(counts, to, failures)
    if counts.failed:
        raise CommandFailure("", Exit.REFUSED if refused == counts.done else Exit.FAILED)


#: Refused chats, from the first one on, after which the rest is not sent.
_ENOUGH_REFUSALS = 20


@contextmanager
def _explaining_interrupts() -> Iterator[None]:
    """Say how a run goes on that is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say("\nStopped; what was in flight has been written down. --resume goes on.", end="")
        raise


def _failures_beside(to: str) -> str:
    return f"{os.path.splitext(to)[0]}.failed.jsonl"


def _check_paths(prompts: str, to: str, failures: str, journal: str, *, resume: bool) -> None:
    """Refuse files that would overwrite each other, or an earlier run."""
    paths = [os.path.realpath(path) for path in (prompts, to, failures, journal)]
    if len(set(paths)) < len(paths):
        raise click.UsageError("the prompts, the answers, the failures and the journal need files of their own")
    for path in (journal, to, failures):
        if not resume and _has_content(path):
            raise CommandFailure(
                f"{path} is there already: --resume goes on with that run; remove it to begin anew, or give another "
                "file with --to",
                Exit.MISUSED,
            )
    if resume and _has_content(to) and not _has_content(journal):
        raise CommandFailure(
            f"{to} has answers, and the journal {journal} is missing or empty: they cannot be told from those of "
            "another run. Remove it to begin anew, or give another file with --to",
            Exit.MISUSED,
        )


def _has_content(path: str) -> bool:
    with suppress(OSError):
        return os.path.getsize(path) > 0
    return False


def _recipe(target: CommandTarget, timeout: float, *, shared: bool) -> ClientRecipe:
    """Return the recipe of the clients; for other processes without keys, which they find in their environment."""
    from muxi.batch import ClientRecipe
    from muxi.config import FormationConfig

    found = target.formation_settings(timeout=timeout)
    if shared:
        for name, variable in (("client_key", "MUXI_CLIENT_KEY"), ("admin_key", "MUXI_ADMIN_KEY")):
            key = found.pop(name, None)
            if isinstance(key, str):
                os.environ[variable] = key
    return ClientRecipe(FormationConfig(**found))


@contextmanager
def _executor(name: str, scheduler: str | None) -> Iterator[Any]:
    """Yield what ``executor=`` takes, with a connection to a scheduler of Dask that ends with the block."""
    if name != "dask":
        yield name
        return
    try:
        from distributed import Client  # pyright: ignore[reportMissingImports]  # no extra of ours
    except ModuleNotFoundError as error:
        from muxi.errors import MissingExtraError

        raise MissingExtraError("--executor dask needs Dask: pip install distributed") from error
    try:
        client = Client(scheduler, timeout=10, set_as_default=False)
    except OSError as error:
        raise CommandFailure(f"the scheduler {scheduler} cannot be reached: {error}") from None
    with client:
        executor: Executor = client.get_executor(pure=False)
        yield executor


class _Records:
    """The records of the input by position, read along with the results.

    Args:
        prompts: the input.
    """

    def __init__(self, prompts: Prompts) -> None:
        self._source = zip(count(), prompts.prompts(), strict=False)
        #: Those whose results are not there yet.
        self._waiting: dict[int, dict[str, Any]] = {}

    def pop(self, position: int) -> dict[str, Any]:
        """Return a record, once."""
        while position not in self._waiting:
            number, prompt = next(self._source, (-1, None))
            if prompt is None:
                raise CommandFailure("the prompts have changed while they were read", Exit.FAILED)
            self._waiting[number] = prompt.record
        return self._waiting.pop(position)


def _summarise(counts: BatchProgress, to: str, failures: str) -> None:
    earlier = f", {counts.replayed:,} of them by an earlier run" if counts.replayed else ""
    answered = f"{counts.done - counts.failed:,} of {counts.done:,} prompts answered"
    say(f"{answered}{earlier}, in {counts.elapsed:.1f} s: {to}")
    if counts.failed:
        say(f"{counts.failed:,} failed: {failures}; feed it again for another attempt")
