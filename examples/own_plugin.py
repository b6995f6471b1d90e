"""A plugin of your own: it marks every request with the team that pays for it, and counts calls and seconds.

Takes the environment that chat.py describes.
"""

from __future__ import annotations

from collections import Counter

import muxi
from muxi import Call, Context, FormationClient, Outcome
from muxi.transport import Request


class Accounting:
    """A plugin is any object with functions of the hooks' names. Each takes the arguments that it needs."""

    name = "accounting"

    def __init__(self, team: str) -> None:
        self.team = team
        self.calls: Counter[str] = Counter()
        self.seconds = 0.0

    @muxi.hookimpl
    def muxi_prepare_request(self, request: Request) -> None:
        # Called on every attempt, so a repeated request has it too.
        request.headers["X-Team"] = self.team

    @muxi.hookimpl
    def muxi_call_finished(self, call: Call[object], outcome: Outcome, context: Context) -> None:
        self.calls[f"{call.operation} {'failed' if outcome.error else 'done'}"] += 1
        self.seconds += context.elapsed


def main() -> None:
    accounting = Accounting("search")
    with FormationClient(plugins=[accounting]) as formation:
        formation.health()
        formation.chat_stream("Hello!", user_id="ada").result()
        try:
            formation.get_request_status("req_of_nobody", user_id="ada")
        except muxi.NotFoundError as error:
            print(error.code)
    for what, times in sorted(accounting.calls.items()):
        print(f"{what}: {times}")


if __name__ == "__main__":
    main()
