"""A deployment as a generator of steps, and the two ways of answering with one: at its end, or step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from muxi.transport import Request
from muxi_transports.memory.server.answers import RpcError, go_json, success
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, AnswerStream, Pause, start_stream

__all__ = ["DeploymentSteps", "Done", "ProgressStep", "StepFailed", "answer_steps", "wants_steps"]


@dataclass(frozen=True)
class ProgressStep:
    """A step that begins (``event: progress``).

    Args:
        stage: its name.
        message: the text for people.
        more: what is said beside it.
    """

    stage: str
    message: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The result of a deployment.

    Args:
        data: the payload of the plain answer.
        streamed: the payload of ``event: complete``.
        status: of the plain answer.
    """

    data: Mapping[str, object]
    streamed: Mapping[str, object]
    status: int = 200


class StepFailed(RpcError):
    """The error of a deployment.

    Args:
        status: of the plain answer.
        message: the text for people.
        code: the code of ``event: error``.
        stage: where it happened.
    """

    def __init__(self, status: int, message: str, code: str, stage: str) -> None:
        super().__init__(status, message)
        self.code = code
        self.stage = stage


#: The steps of a deployment, and its waits on the world's clock.
DeploymentSteps: TypeAlias = Generator[ProgressStep | Pause, None, Done]


def wants_steps(request: Request) -> bool:
    """True if the client accepts an event stream."""
    return "text/event-stream" in (request.headers.get("Accept") or "")


def answer_steps(server: ServerCore, request: Request | None, steps: DeploymentSteps) -> Generator[Pause, None, Answer]:
    """Run the steps, even if the client disconnects, and answer with an event stream or at the end.

    Args:
        server: where.
        request: decides between the two; None for an answer at the end.
        steps: what to do.

    Raises:
        StepFailed: how it ended, for the plain answer.
    """
    frames: deque[bytes] = deque()
    work = Work(_run_steps(server, steps, frames), server.clock)
    work.advance()
    if not work.done:
        server.background.adopt(work)
    if request is not None and wants_steps(request):
        headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("Connection", "keep-alive"),
            ("X-Accel-Buffering", "no"),
        ]
        return Answer(200, headers, start_stream(_stream_frames(work, frames)))
    done = yield from work.join()
    return success(done.data, done.status)


def _run_steps(server: ServerCore, steps: DeploymentSteps, frames: deque[bytes]) -> Generator[Pause, None, Done]:
    """Run the steps one by one with the state locked, and collect the frames."""
    while True:
        try:
            with server.lock:
                step = next(steps)
        except StopIteration as end:
            done: Done = end.value
            return done
        if isinstance(step, Pause):
            yield step
        else:
            frames.append(_frame("progress", {"stage": step.stage, "message": step.message, **step.more}))


def _stream_frames(work: Work[Done], frames: deque[bytes]) -> AnswerStream:
    yield b""
    while True:
        left = work.advance()
        while frames:
            yield frames.popleft()
        if left is None:
            break
        yield Pause(left)
    joined = work.join()
    try:
        next(joined)
    except StopIteration as end:
        done: Done = end.value
        yield _frame("complete", done.streamed)
    except StepFailed as error:
        yield _frame("error", {"error": error.code, "message": error.message, "stage": error.stage})


def _frame(name: str, data: Mapping[str, object]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + go_json(data) + b"\n\n"
