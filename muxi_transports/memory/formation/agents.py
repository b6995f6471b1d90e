"""Agents of an embedded formation: plain functions, and the few things they can reply besides text.

An agent takes a :class:`Turn` and returns its reply: a text (streamed word by word), an iterable of texts
(each one delta; a generator function is the natural way to write it), or one of the values below, which a
generator may also yield between texts::

    @formation.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        yield "Let me see. "
        yield Pause(2.5)                       # two and a half seconds on the formation's clock
        yield f"You have said {turn.message!r}."

An agent that raises fails the turn. Agents do not block: they ask for a ``Pause``. For fixed replies to fixed messages
there are scripts (:class:`~muxi_transports.memory.Replies`).
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from muxi.transport.arguments import check_arguments
from muxi_transports.memory.formation.state.buffer import BufferedMessage
from muxi_transports.memory.world import Pause

__all__ = [
    "Agent",
    "Agents",
    "Approval",
    "Discontinuity",
    "Escalation",
    "Failure",
    "Later",
    "NewArtifact",
    "Part",
    "Question",
    "Reply",
    "Report",
    "Silence",
    "Turn",
    "Widgets",
    "ask",
    "echo",
    "parts_of",
    "words",
]


@dataclass(frozen=True)
class Turn:
    """One message of a user, on its way to an agent.

    Args:
        message: what the user says.
        user_id: the user's id; ``"0"`` where the request has none.
        session_id: the session, made up where the caller gave none.
        agent_id: the agent that is asked.
        request_id: the id under which the turn is tracked.
        agent_requested: the agent the caller named; None where the formation chose.
        history: the session so far, oldest first, without this message.
        files: the files that came along, as sent.
        ui_response: the answer to a widget that was shown in this session, as sent; answers to others are ignored.
        clarifies: the message that the formation asked back about, where this one follows the question.
        group_id: the group that it belongs to, as sent.
        source_channel: where it comes from, as sent.
        trigger: the trigger that made it; None in a chat.
        job_id: the scheduled job that made it; None in a chat.
        groups: what the groups of a pattern found in the message, by name or by number, in a script.
    """

    message: str
    user_id: str = "0"
    session_id: str = ""
    agent_id: str = "assistant"
    request_id: str = ""
    agent_requested: str | None = None
    history: tuple[BufferedMessage, ...] = ()
    files: tuple[Mapping[str, object], ...] = ()
    ui_response: Mapping[str, object] | None = None
    clarifies: str | None = None
    group_id: str | None = None
    source_channel: str | None = None
    trigger: str | None = None
    job_id: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

    def matched(self, match: re.Match[str]) -> Turn:
        """The same turn, with what a pattern found in its message."""
        numbered = {str(number): group for number, group in enumerate(match.groups(""), 1)}
        return replace(self, groups=numbered | match.groupdict(""))


@check_arguments()
@dataclass(frozen=True)
class NewArtifact:
    """Make a file: it rides on the answer, and is kept among the user's artifacts.

    A file of a name that the user has already becomes its next version.

    Args:
        filename: what it is called.
        content: what is in it; a text is written as UTF-8.
        content_type: what it is; guessed from its name if not given.
    """

    filename: str
    content: bytes | str
    content_type: str = ""

    @property
    def data(self) -> bytes:
        """The content as bytes."""
        return self.content.encode() if isinstance(self.content, str) else self.content

    @property
    def media_type(self) -> str:
        """The type that was given, or guessed."""
        # Python's own table: what the machine's files add would make one test differ from machine to machine.
        guessed, _ = mimetypes.MimeTypes().guess_type(self.filename)
        return self.content_type or guessed or "application/octet-stream"


@check_arguments()
@dataclass(frozen=True)
class Later:
    """Take long: a chat that is not streamed is answered at once with ``status: "processing"`` and the id to poll.

    The reply follows on the clock; its webhook goes to the chat's ``webhook_url`` or the formation's own. Streamed, the
    turn runs to its end before the client's eyes, and its webhook is sent all the same. Only when returned, not when
    yielded.

    Args:
        reply: what comes of it.
        seconds: how long it takes.
    """

    reply: Reply
    seconds: float = 0.0


@check_arguments()
@dataclass(frozen=True)
class Escalation:
    """Fail, and be tried again in the background: the answer says so and the request stays ``processing``.

    The end is sent by webhook (``state: "achieved"``), or is polled. Only when returned, not when yielded.

    Args:
        reply: what the second attempt says.
        seconds: how long it takes.
    """

    reply: Reply
    seconds: float = 0.0


@check_arguments()
@dataclass(frozen=True)
class Approval:
    """Wait for the user to approve a plan. Streamed, nothing but keepalives comes for 600 s (the wire).

    Args:
        plan: what is to be approved.
    """

    plan: str


@check_arguments()
@dataclass(frozen=True)
class Question:
    """Ask back: the turn ends with ``status: "awaiting_clarification"``.

    Args:
        question: what to ask.
        options: what to choose from; they come as a widget, beside the question.
    """

    question: str
    options: tuple[str, ...] = ()


@check_arguments()
@dataclass(frozen=True)
class Widgets:
    """Show widgets beside the answer (``event: ui``).

    Args:
        widgets: objects as on the wire, such as ``{"type": "action_link", "id": …, "label": …, "url": …}``.
    """

    widgets: tuple[Mapping[str, object], ...]


@check_arguments()
@dataclass(frozen=True)
class Silence:
    """Never complete: what the runtime does with a blocked turn, and with one that waits for an approval.

    Streamed, nothing but keepalives comes for 600 s, then ``done``; not streamed, the answer is a text.

    Args:
        content: that text.
    """

    content: str = "I can't process that request."


@check_arguments()
@dataclass(frozen=True)
class Failure:
    """Fail, as raising an exception does, or in the other way the wire knows.

    Args:
        message: what went wrong.
        early: fail before the first token: ``event: error`` and no ``done``; not streamed,
            an answer with ``metadata.error_code``. Only when returned, not when yielded.
        type: the name of the error in an early failure.
    """

    message: str
    early: bool = False
    type: str = "RuntimeError"


@check_arguments()
@dataclass(frozen=True)
class Discontinuity:
    """Lose the stream of the model on the way: the deltas stop, the completed answer has everything.

    Args:
        text: the whole answer.
        after: how many words are streamed.
    """

    text: str
    after: int = 2


Part: TypeAlias = str | Pause | NewArtifact | Question | Widgets | Approval | Silence | Failure | Discontinuity
Reply: TypeAlias = Part | Later | Escalation | Iterable[Part]
Agent: TypeAlias = Callable[[Turn], Reply]
#: Takes an error of an agent, for the report of the test.
Report: TypeAlias = Callable[[BaseException], object]

_VALUES = (str, Pause, NewArtifact, Question, Widgets, Approval, Silence, Failure, Discontinuity)


def echo(turn: Turn) -> Reply:
    """The agent of a formation that was given none: says what was said."""
    return f"You said: {turn.message}"


def ask(agent: Agent, turn: Turn, report: Report) -> Reply:
    """Call an agent. An error that it raises fails the turn, and is reported."""
    try:
        return agent(turn)
    except Exception as error:
        report(error)
        return Failure(_text_of(error), type=type(error).__name__)
    except BaseException as error:
        # pytest.fail() and the like go through; the code under test may hold them up on the way.
        report(error)
        raise


def parts_of(reply: Reply, report: Report) -> Generator[Part, None, None]:
    """Yield the parts of a reply. An error that an agent raises on the way fails the turn, and is reported.

    Closing it closes the agent's own generator.

    Raises:
        TypeError: the reply is none (the message says what one is).
    """
    if isinstance(reply, str):
        yield from words(reply)
        return
    if isinstance(reply, _VALUES):
        yield reply
        return
    if not isinstance(reply, Iterable):
        raise _no_reply(reply, report)
    parts = iter(reply)
    try:
        while True:
            try:
                part = next(parts)
            except StopIteration:
                return
            except Exception as error:
                report(error)
                part = Failure(_text_of(error), type=type(error).__name__)
            except BaseException as error:
                report(error)
                raise
            if not isinstance(part, _VALUES):
                raise _no_reply(part, report)
            yield part
    finally:
        if isinstance(parts, Generator):
            _close(parts, report)


def _close(parts: Generator[Part, object, object], report: Report) -> None:
    try:
        parts.close()
    except BaseException as error:
        # The reader has left: the error may reach no caller.
        report(error)
        raise


def words(text: str) -> list[str]:
    """A text in deltas of one word each, with the white space that follows it."""
    return re.findall(r"\s*\S+\s*|\s+", text)


@dataclass
class Agents:
    """The agents of a formation by id. The first one answers where the caller names none."""

    given: dict[str, Agent] = field(default_factory=dict)

    @property
    def default(self) -> str:
        """The id of the agent that answers where none is named."""
        return next(iter(self.given), "assistant")

    def find(self, agent_id: str) -> Agent | None:
        """An agent by id. Without any there is one, ``assistant``, which echoes."""
        return self.given.get(agent_id) if self.given else {"assistant": echo}.get(agent_id)


def _text_of(error: Exception) -> str:
    return str(error) or type(error).__name__


def _no_reply(value: object, report: Report) -> TypeError:
    kinds = ", ".join(kind.__name__ for kind in _VALUES[1:])
    error = TypeError(
        f"an agent replied with {type(value).__name__}; a reply is a text, an iterable of texts, or one of {kinds}"
    )
    report(error)
    return error
