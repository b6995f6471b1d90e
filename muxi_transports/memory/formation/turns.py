"""The life of a turn: from the message to its outcome, as the tokens the runtime sends on the way."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from muxi_transports.memory.formation.agents import (
    Clarification,
    Discontinuity,
    Failure,
    Part,
    Reply,
    Silence,
    Turn,
    Widgets,
    parts_of,
    words,
)
from muxi_transports.memory.world import Pause

if TYPE_CHECKING:
    from muxi.clock import Clock
    from muxi_transports.memory.formation.ids import Ids
    from muxi_transports.memory.formation.state.tracker import Tracked

__all__ = ["Outcome", "Token", "TurnSteps", "run"]

#: What the runtime tells while it works; the tool count is that of the recorded formation.
_TOOLS = 10
_EMPTY = "[empty message]"


@dataclass(frozen=True)
class Token:
    """One token of a chat stream; the frame around it adds the ids and the time."""

    type: str
    content: str
    extras: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a turn ended.

    Args:
        kind: ``silent`` turns never complete, ``cancelled`` ones stopped at a checkpoint.
        content: the answer, the question, or what went wrong.
        widgets: what to show beside it.
        completed: the last token of the stream; None where none comes.
    """

    kind: Literal["success", "error", "clarification", "silent", "cancelled"]
    content: str = ""
    widgets: tuple[Mapping[str, object], ...] = ()
    completed: Token | None = None


TurnSteps: TypeAlias = Generator["Token | Pause", None, Outcome]


@dataclass
class _Progress:
    """What a reply has come to so far."""

    text: str = ""
    widgets: list[Mapping[str, object]] = field(default_factory=list)
    discontinuity: bool = False


def run(turn: Turn, reply: Reply, tracked: Tracked, *, clock: Clock, ids: Ids, pace: float) -> TurnSteps:
    """Run a turn.

    Args:
        turn: the turn.
        reply: what the agent has replied.
        tracked: the turn's entry in the tracker; a cancellation that is asked for there ends the turn at
            its next checkpoint, which is before each part of the reply.
        clock: the time of the formation.
        ids: where the ids of widgets come from.
        pace: seconds between two deltas.

    Returns:
        The outcome. Its last token is in it and not sent yet, so that what it says is true when it is read.
    """
    started = clock.monotonic()
    yield Token("progress", "Got it, processing...", {"stage": "init", "skip_rephrase": True})
    if tracked.cancel_requested:
        return Outcome("cancelled")
    yield Token("thinking", "Analyzing your request...", _analysis(turn))
    progress = _Progress()
    with closing(parts_of(reply)) as parts:
        outcome = yield from _answer(turn, parts, tracked, progress, ids=ids, pace=pace)
    if outcome.kind in ("silent", "cancelled"):
        return outcome
    extras: dict[str, object] = {
        "status": "awaiting_clarification" if outcome.kind == "clarification" else outcome.kind,
        "processing_time_ms": int((clock.monotonic() - started) * 1000),
    }
    if outcome.kind == "clarification":
        extras["clarification"] = True
    elif outcome.kind == "success":
        extras["agent_used"] = turn.agent_id
    if progress.discontinuity:
        extras["stream_discontinuity"] = True
    return replace(outcome, completed=Token("completed", outcome.content, extras))


def _answer(
    turn: Turn, parts: Iterator[Part], tracked: Tracked, progress: _Progress, *, ids: Ids, pace: float
) -> TurnSteps:
    routed = False
    for part in parts:
        if tracked.cancel_requested:
            return Outcome("cancelled")
        if isinstance(part, Pause):
            yield part
            continue
        if isinstance(part, Silence):
            return Outcome("silent", part.content)
        if isinstance(part, Failure):
            return Outcome("error", part.message)
        if isinstance(part, Clarification):
            yield Token("thinking", "I need to clarify something with the user...", _question(part))
            return Outcome("clarification", part.question, _options(part, ids))
        if not routed:
            yield from _routing(turn)
            routed = True
        yield from _deltas(part, progress, pace)
    if not routed:
        yield from _routing(turn)
    return Outcome("success", progress.text, tuple(progress.widgets))


def _deltas(part: str | Widgets | Discontinuity, progress: _Progress, pace: float) -> Iterator[Token | Pause]:
    if isinstance(part, Widgets):
        progress.widgets.extend(part.widgets)
        return
    if isinstance(part, Discontinuity):
        progress.text += part.text
        progress.discontinuity = True
        deltas = words(part.text)[: part.after]
    else:
        progress.text += part
        deltas = [part]
    for delta in deltas:
        yield Token("content", delta, {"stage": "response_generation", "skip_rephrase": True})
        if pace:
            yield Pause(pace)


def _analysis(turn: Turn) -> dict[str, object]:
    return {
        "stage": "process_sync_start",
        "original_message": turn.message if turn.message.strip() else _EMPTY,
        "agent_name": turn.agent_requested,
        "skip_clarification": False,
        "skip_rephrase": True,
    }


def _routing(turn: Turn) -> Iterator[Token]:
    """What the runtime tells between its analysis and the first delta, in the order it was recorded."""
    agent, preview = turn.agent_id, turn.message
    if turn.agent_requested is None:
        extras = {"stage": "agent_selection", "message_preview": preview, "agent_requested": None}
        yield Token("planning", "Determining the best agent to handle this request...", extras)
        reason = "I'll use an agent with the right capabilities to help the user with their request."
        yield Token("progress", reason, {"stage": "agent_selected", "selected_agent": agent})
    yield Token("progress", "Processing request...", {"stage": "agent_processing", "agent_name": agent})
    planning = {
        "stage": "agent_planning",
        "agent_name": agent.title(),
        "agent_id": agent,
        "message_preview": preview,
        "has_tools": True,
        "tool_count": _TOOLS,
    }
    yield Token("planning", "Planning approach to handle the user's request...", planning)
    plan = {"stage": "creating_plan", "agent_name": agent, "tool_count": _TOOLS, "skip_rephrase": True}
    yield Token("progress", "Creating plan...", plan)
    preparation = {
        "stage": "response_preparation",
        "has_persona": True,
        "response_format": "markdown",
        "skip_rephrase": True,
    }
    yield Token("progress", "Preparing response...", preparation)


def _question(part: Clarification) -> dict[str, object]:
    return {"stage": "clarification_needed", "clarification_question": part.question, "skip_rephrase": True}


def _options(part: Clarification, ids: Ids) -> tuple[Mapping[str, object], ...]:
    if not part.options:
        return ()
    options = [{"value": option, "label": option} for option in part.options]
    widget = {"type": "options", "id": ids.new("ui_"), "prompt": part.question, "options": options, "multi": False}
    return (widget,)
