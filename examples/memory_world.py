"""A formation inside your process: an agent of your own, and no network, no model, no waiting.

This is how code that uses the SDK is tested. The clock is a manual one, so the agent's pause takes no time.
"""

from __future__ import annotations

from collections.abc import Iterator

from muxi import FormationClient, ManualClock, TurnFailed
from muxi_transports.memory import EmbeddedFormation, Failure, MemoryTransport, Part, Pause, Turn


def librarian(turn: Turn) -> Iterator[Part]:
    """An agent is a function from a turn to text, to pieces of text, or to something that goes wrong."""
    if "burn" in turn.message:
        yield Failure("I do not burn books")
        return
    yield "Let me look. "
    yield Pause(60.0)
    yield f"{turn.user_id.title()}, this is your question number {len(turn.history) // 2 + 1}."


def main() -> None:
    clock = ManualClock()
    world = EmbeddedFormation(client_key="fmc_test", clock=clock)
    world.agent("librarian", librarian)

    before = clock.monotonic()
    with FormationClient(transport=MemoryTransport(world), url="http://memory", client_key="fmc_test") as formation:
        for question in ("Where are the maps?", "And the atlases?"):
            answer = formation.chat({"message": question, "session_id": "s-1"}, user_id="ada")
            print(answer["message"]["content"])
        try:
            formation.chat_stream("Please burn this one", user_id="ada").result()
        except TurnFailed as error:
            print(f"{type(error).__name__}: {error.message}")
    print(f"{clock.monotonic() - before:.0f} seconds have passed, on the world's clock")


if __name__ == "__main__":
    main()
