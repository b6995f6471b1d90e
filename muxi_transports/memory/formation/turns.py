"""The life of a turn: from the message to its outcome, as the tokens the runtime sends on the way."""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from muxi_transports.memory.formation.agents import (
    Approval,
    Discontinuity,
    Escalation,
    Failure,
    Later,
    NewArtifact,
    Part,
    Question,
    Reply,
    Report,
    Silence,
    Turn,
    Widgets,
    parts_of,
    words,
)
from muxi_transports.memory.formation.state.artifacts import category
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.world import Pause

if TYPE_CHECKING:
    from muxi.clock import Clock
    from muxi_transports.memory.formation.ids import Ids
    from muxi_transports.memory.formation.state.tracker import Tracked

__all__ = ["TurnOutcome", "TurnSteps", "TurnToken", "artifact_data", "run"]

#: The texts of progress tokens; the tool count is that of the recorded formation.
_TOOLS = 10
_EMPTY = "[empty message]"


@dataclass(frozen=True)
class TurnToken:
    """One token of a chat stream; the frame around it adds the ids and the time."""

    type: str
    content: str
    extras: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class TurnOutcome:
    """The end of a turn.

    Args:
        kind: ``silent`` turns never complete, ``cancelled`` ones stopped at a checkpoint.
        content: the answer, the question, or what went wrong.
        widgets: what to show beside it.
        artifacts: what was made.
        completed: the last token of the stream; None where none comes.
    """

    kind: Literal["success", "error", "clarification", "approval", "silent", "cancelled"]
    content: str = ""
    widgets: tuple[Mapping[str, object], ...] = ()
    artifacts: tuple[NewArtifact, ...] = ()
    completed: TurnToken | None = None


TurnSteps: TypeAlias = Generator[TurnToken | Pause, None, TurnOutcome]


@dataclass
class _Progress:
    """The part of a reply that has been made so far."""

    text: str = ""
    widgets: list[Mapping[str, object]] = field(default_factory=list)
    artifacts: list[NewArtifact] = field(default_factory=list)
    discontinuity: bool = False


def run(
    turn: Turn, reply: Reply, tracked: Tracked, *, clock: Clock, ids: Ids, pace: float, report: Report
) -> TurnSteps:
    """Run a turn.

    Args:
        turn: the turn.
        reply: what the agent has replied.
        tracked: the turn's entry in the tracker; a cancellation that is asked for there ends the turn at
            its next checkpoint, which is before each part of the reply.
        clock: the time of the formation.
        ids: where the ids of widgets come from.
        pace: seconds between two deltas.
        report: takes the errors of the agent.

    Returns:
        The outcome. Its last token is in it and not sent yet, so that what it says is true when it is read.
    """
    started = clock.monotonic()
    yield TurnToken("progress", "Got it, processing...", {"stage": "init", "skip_rephrase": True})
    if tracked.cancel_requested:
        return TurnOutcome("cancelled")
    yield TurnToken("thinking", "Analyzing your request...", _analysis(turn))
    progress = _Progress()
    if isinstance(reply, Later | Escalation):
        # A streamed turn runs to its end.
        yield Pause(reply.seconds)
        reply = reply.reply
    with closing(parts_of(reply, report)) as parts:
        outcome = yield from _answer(turn, parts, tracked, progress, ids=ids, pace=pace)
    if outcome.kind in ("silent", "cancelled", "approval"):
        return outcome
    extras: dict[str, object] = {
        "status": "awaiting_clarification" if outcome.kind == "clarification" else outcome.kind,
        "processing_time_ms": int((clock.monotonic() - started) * 1000),
    }
    if outcome.kind == "clarification":
        extras["clarification"] = True
    elif outcome.kind == "success":
        extras["agent_used"] = turn.agent_id
    if outcome.artifacts:
        extras["artifacts"] = [artifact_data(artifact, clock.time()) for artifact in outcome.artifacts]
    if progress.discontinuity:
        extras["stream_discontinuity"] = True
    return replace(outcome, completed=TurnToken("completed", outcome.content, extras))


def _answer(
    turn: Turn, parts: Iterator[Part], tracked: Tracked, progress: _Progress, *, ids: Ids, pace: float
) -> TurnSteps:
    routing = _Routing(turn)
    for part in parts:
        if tracked.cancel_requested:
            return TurnOutcome("cancelled")
        if isinstance(part, Pause):
            yield part
        elif isinstance(part, Silence):
            return TurnOutcome("silent", part.content)
        elif isinstance(part, Approval):
            yield from _decomposition(turn, part, ids)
            return TurnOutcome("approval", part.plan)
        elif isinstance(part, Failure):
            return TurnOutcome("error", part.message)
        elif isinstance(part, Question):
            yield TurnToken("thinking", "I need to clarify something with the user...", _question(part))
            return TurnOutcome("clarification", part.question, _options(part, ids))
        elif isinstance(part, Widgets):
            progress.widgets.extend(part.widgets)
        elif isinstance(part, NewArtifact):
            yield from routing.to_the_plan()
            yield from _making(turn, part)
            progress.artifacts.append(part)
        else:
            yield from routing.to_the_response()
            yield from _deltas(part, progress, pace)
    yield from routing.to_the_response()
    return TurnOutcome("success", progress.text, tuple(progress.widgets), tuple(progress.artifacts))


def _deltas(part: str | Discontinuity, progress: _Progress, pace: float) -> Iterator[TurnToken | Pause]:
    if isinstance(part, Discontinuity):
        progress.text += part.text
        progress.discontinuity = True
        deltas = words(part.text)[: part.after]
    else:
        progress.text += part
        deltas = [part]
    for delta in deltas:
        yield TurnToken("content", delta, {"stage": "response_generation", "skip_rephrase": True})
        if pace:
            yield Pause(pace)


def artifact_data(artifact: NewArtifact, now: float) -> dict[str, object]:
    """An artifact as it rides on an answer."""
    kind = category(artifact.media_type)
    try:
        text = artifact.data.decode() if kind == "text" else None
    except UnicodeDecodeError:
        text = None
    measures = ("lines", "characters", "language", "pages", "width", "height")
    encoded = base64.b64encode(artifact.data).decode()
    return {
        "type": kind,
        "format": _format(artifact),
        "filename": artifact.filename,
        "preview": None,
        "metadata": {"size_bytes": len(artifact.data), "created_at": iso(now), **dict.fromkeys(measures)},
        "content": text,
        "data_url": f"data:{artifact.media_type};base64,{encoded}",
    }


def _making(turn: Turn, artifact: NewArtifact) -> Iterator[TurnToken]:
    """The progress tokens of an agent that makes a file."""
    tool: dict[str, object] = {"tool_name": "generate_file"}
    agent: dict[str, object] = {"agent_name": turn.agent_id, "skip_rephrase": True}
    yield TurnToken("progress", "create the file", {"stage": "plan_step", **tool, **agent})
    name = artifact.filename
    yield TurnToken(
        "progress", f"Creating {name}...", {"stage": "artifact_generating", **tool, "filename": name, **agent}
    )
    made = {
        "stage": "artifact_created",
        "filename": name,
        "artifact_type": category(artifact.media_type),
        "artifact_format": _format(artifact),
        "skip_rephrase": True,
    }
    yield TurnToken("progress", f"Created {name}", made)


def _format(artifact: NewArtifact) -> str:
    return artifact.filename.rpartition(".")[2].lower() if "." in artifact.filename else "bin"


def _analysis(turn: Turn) -> dict[str, object]:
    return {
        "stage": "process_sync_start",
        "original_message": turn.message if turn.message.strip() else _EMPTY,
        "agent_name": turn.agent_requested,
        "skip_clarification": False,
        "skip_rephrase": True,
    }


class _Routing:
    """The progress tokens between the analysis and the first delta, in recorded order."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._planned = self._prepared = False

    def to_the_plan(self) -> Iterator[TurnToken]:
        """Up to the plan."""
        if self._planned:
            return
        self._planned = True
        agent, preview = self._turn.agent_id, self._turn.message
        if self._turn.agent_requested is None:
            extras = {"stage": "agent_selection", "message_preview": preview, "agent_requested": None}
            yield TurnToken("planning", "Determining the best agent to handle this request...", extras)
            reason = "I'll use an agent with the right capabilities to help the user with their request."
            yield TurnToken("progress", reason, {"stage": "agent_selected", "selected_agent": agent})
        yield TurnToken("progress", "Processing request...", {"stage": "agent_processing", "agent_name": agent})
        planning = {
            "stage": "agent_planning",
            "agent_name": agent.title(),
            "agent_id": agent,
            "message_preview": preview,
            "has_tools": True,
            "tool_count": _TOOLS,
        }
        yield TurnToken("planning", "Planning approach to handle the user's request...", planning)
        plan = {"stage": "creating_plan", "agent_name": agent, "tool_count": _TOOLS, "skip_rephrase": True}
        yield TurnToken("progress", "Creating plan...", plan)

    def to_the_response(self) -> Iterator[TurnToken]:
        """Up to the response."""
        yield from self.to_the_plan()
        if self._prepared:
            return
        self._prepared = True
        preparation = {
            "stage": "response_preparation",
            "has_persona": True,
            "response_format": "markdown",
            "skip_rephrase": True,
        }
        yield TurnToken("progress", "Preparing response...", preparation)


def _decomposition(turn: Turn, part: Approval, ids: Ids) -> Iterator[TurnToken]:
    """The progress tokens of a plan that waits for approval."""
    workflow: dict[str, object] = {"complexity_score": 9.0, "message_preview": turn.message}
    text = "This is a complex request. Let me break it down into steps..."
    yield TurnToken("planning", text, {"stage": "workflow_decomposition", **workflow})
    complete = {
        "stage": "decomposition_complete",
        "task_count": 2,
        "workflow_id": ids.new("wrk_"),
        "decomposition_details": part.plan,
        "is_llm_response": True,
    }
    yield TurnToken("planning", "I've broken this down into 2 tasks to complete.", complete)


def _question(part: Question) -> dict[str, object]:
    return {"stage": "clarification_needed", "clarification_question": part.question, "skip_rephrase": True}


def _options(part: Question, ids: Ids) -> tuple[Mapping[str, object], ...]:
    if not part.options:
        return ()
    options = [{"value": option, "label": option} for option in part.options]
    widget = {"type": "options", "id": ids.new("ui_"), "prompt": part.question, "options": options, "multi": False}
    return (widget,)
