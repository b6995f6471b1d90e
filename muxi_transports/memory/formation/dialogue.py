"""A turn that has begun: what the agent replies to it, and what is kept of how it ended."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from muxi_transports.memory.formation.agents import Failure, Reply, Turn, ask
from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.state.buffer import BufferedMessage
from muxi_transports.memory.formation.state.tracker import Tracked
from muxi_transports.memory.formation.turns import TurnOutcome, TurnSteps, TurnToken, run
from muxi_transports.memory.world import Pause

__all__ = ["Dialogue", "begin"]

#: The event of each end of a turn: its type, its level, its text.
_ENDS = {
    "success": ("chat.completed", "info", "The turn has ended"),
    "clarification": ("chat.clarification", "info", "The formation has asked back"),
    "approval": ("workflow.approval_requested", "info", "A plan waits for approval"),
    "error": ("chat.failed", "error", "The turn has failed"),
    "cancelled": ("chat.cancelled", "warning", "The turn was cancelled"),
    "silent": ("chat.blocked", "warning", "The turn was blocked"),
}


@dataclass(frozen=True)
class Dialogue:
    """A turn that has begun.

    Args:
        formation: where.
        turn: the turn.
        tracked: its entry in the tracker.
    """

    formation: FormationCore
    turn: Turn
    tracked: Tracked

    def reply(self) -> Reply:
        """Call the agent."""
        agent = self.formation.agents.find(self.turn.agent_id)
        if agent is None:
            there = ", ".join(map(repr, self.formation.agents.given or ["assistant"]))
            self.formation.incidents.note(self._place, f"there is no such agent; there are {there}")
            return Failure(f"No agent with ID '{self.turn.agent_id}' exists")
        self.note("agent.selected", f"{self.turn.agent_id} answers", level="debug")
        return ask(agent, self.turn, self._report)

    def steps(self, reply: Reply) -> TurnSteps:
        """Run the turn and yield its tokens."""
        formation = self.formation
        return run(
            self.turn,
            reply,
            self.tracked,
            clock=formation.clock,
            ids=formation.ids,
            pace=formation.pace,
            report=self._report,
        )

    @property
    def _place(self) -> str:
        """The agent and the message, for reports."""
        message = self.turn.message if len(self.turn.message) <= 80 else f"{self.turn.message[:80]}…"
        return f"the agent {self.turn.agent_id!r} of {self.formation.formation_id!r}, asked {message!r}"

    def _report(self, error: BaseException) -> None:
        self.formation.incidents.record(self._place, error)

    def unheard(self, reply: Reply) -> Generator[Pause, None, TurnOutcome]:
        """Run the turn without its tokens, and record its end."""
        with closing(self.steps(reply)) as steps:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    outcome: TurnOutcome = end.value
                    self.end(outcome)
                    return outcome
                if not isinstance(step, TurnToken):
                    yield step

    def in_background(self, reply: Reply) -> Generator[Pause, None, TurnOutcome]:
        """Run the turn in the background: an error fails the turn, for no caller is there to get it."""
        try:
            return (yield from self.unheard(reply))
        except Exception as error:
            outcome = TurnOutcome("error", f"{type(error).__name__}: {error}")
            self.end(outcome)
            return outcome

    def say(self, role: str, content: str) -> None:
        """Append a message of the turn to the buffer."""
        turn, now = self.turn, self.formation.clock.time()
        metadata = {
            "role": role,
            "timestamp": now,
            "agent_id": "overlord",
            "user_id": turn.user_id,
            "session_id": turn.session_id,
            "request_id": turn.request_id,
            "formation_id": self.formation.formation_id,
        }
        self.formation.buffer.append(turn.user_id, turn.session_id, BufferedMessage(content, now, metadata))

    def end(self, outcome: TurnOutcome) -> None:
        """Record the end of the turn. A silent turn has none: the tracker fails it after 600 s."""
        formation, turn, content = self.formation, self.turn, outcome.content
        with formation.lock:
            if outcome.kind in ("success", "clarification"):
                self.say("assistant", content)
            asked = turn.message if outcome.kind == "clarification" else None
            formation.asides.leave(turn.user_id, turn.session_id, outcome.widgets, asked)
            for artifact in outcome.artifacts:
                formation.artifacts.add(
                    formation.ids.new(),
                    turn.user_id,
                    artifact.filename,
                    artifact.data,
                    content_type=artifact.media_type,
                    agent_id=turn.agent_id,
                    session_id=turn.session_id,
                )
            self._end_request(outcome)
        kind, level, text = _ENDS[outcome.kind]
        self.note(kind, text, level=level)

    def leave(self) -> None:
        """Cancel the turn, because the client has disconnected."""
        with self.formation.lock:
            if self.tracked.ended:
                return
            self.formation.tracker.end(self.tracked, "cancelled")
        self.note("chat.cancelled", "The client has left", level="warning")

    def note(self, kind: str, text: str, *, level: str = "info", data: Mapping[str, object] | None = None) -> None:
        """Publish an event about the turn."""
        turn = self.turn
        self.formation.note(
            kind,
            text,
            level=level,
            user_id=turn.user_id,
            session_id=turn.session_id,
            request_id=turn.request_id,
            agent_id=turn.agent_id,
            data=data,
        )

    def _end_request(self, outcome: TurnOutcome) -> None:
        tracker, tracked = self.formation.tracker, self.tracked
        if outcome.kind == "success":
            tracker.end(tracked, "completed", result=outcome.content)
        elif outcome.kind == "clarification":
            tracker.end(tracked, "awaiting_clarification")
        elif outcome.kind == "error":
            tracker.end(tracked, "failed", error=outcome.content)
        elif outcome.kind == "cancelled":
            tracker.end(tracked, "cancelled")


def begin(
    formation: FormationCore,
    message: str,
    *,
    user_id: str,
    session_id: str | None = None,
    agent_id: str | None = None,
    request_id: str | None = None,
    files: tuple[Mapping[str, object], ...] = (),
    ui_response: Mapping[str, object] | None = None,
    group_id: str | None = None,
    source_channel: str | None = None,
    trigger: str | None = None,
    job_id: str | None = None,
) -> Dialogue:
    """Begin a turn: track it and append its message to the buffer."""
    with formation.lock:
        session = session_id or formation.ids.new("sess_")
        aside = formation.asides.take(user_id, session, ui_response)
        turn = Turn(
            message=message,
            user_id=user_id,
            session_id=session,
            agent_id=agent_id or formation.agents.default,
            request_id=request_id or formation.ids.new("req_"),
            agent_requested=agent_id,
            history=formation.buffer.session(user_id, session),
            files=files,
            ui_response=aside.ui_response,
            clarifies=aside.clarifies,
            group_id=group_id,
            source_channel=source_channel,
            trigger=trigger,
            job_id=job_id,
        )
        dialogue = Dialogue(formation, turn, formation.tracker.open(turn.request_id, user_id))
        dialogue.say("user", turn.message)
    dialogue.note("chat.message", turn.message)
    return dialogue
