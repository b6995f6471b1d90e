"""A bot for the command line. Ctrl-C stops an answer, and at the prompt the bot; so does Ctrl-D.

    python examples/bot.py

The formation comes from the environment, as for chat.py; MUXI_TRANSPORT=memory tries it without one.
"""

from __future__ import annotations

import sys

from muxi import FormationClient, MuxiError


def main() -> int:
    with FormationClient() as formation:
        talk = formation.conversation(user_id="ada")
        while True:
            try:
                message = input("you: ").strip()
            except (EOFError, KeyboardInterrupt):
                print()
                return 0
            if not message:
                continue
            print("bot: ", end="", flush=True)
            try:
                with talk.stream(message) as stream:
                    for piece in stream.text():
                        print(piece, end="", flush=True)
            except KeyboardInterrupt:
                print(" (stopped)", end="")
            except MuxiError as error:
                print(f" ({error.message})", end="")
            print()


if __name__ == "__main__":
    sys.exit(main())
