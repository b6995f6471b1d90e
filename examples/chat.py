"""Ask a question and print the answer as it is made.

    python examples/chat.py "What can you do?"

Where the formation is comes from the environment: MUXI_FORMATION_URL (or MUXI_SERVER_URL and MUXI_FORMATION_ID) and
MUXI_CLIENT_KEY. MUXI_TRANSPORT=memory tries it without one.
"""

from __future__ import annotations

import sys

from muxi import FormationClient, MuxiError


def main() -> int:
    question = " ".join(sys.argv[1:]) or "What can you do?"
    try:
        with FormationClient() as formation, formation.chat_stream({"message": question}, user_id="ada") as stream:
            for piece in stream.text():
                print(piece, end="", flush=True)
            print()
            message = stream.result()
            print(f"(session {message['metadata'].get('session_id')})")
    except MuxiError as error:
        print(f"\n{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
