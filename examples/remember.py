"""Have a formation remember something, look at all it remembers about a user, and have it forget again.

Takes the environment that chat.py describes. Some formations keep no memories: their store cannot (SQLite).
"""

from __future__ import annotations

import sys

from muxi import FormationClient, ServerError


def main() -> int:
    with FormationClient() as formation:
        try:
            added = formation.add_memory("Prefers Python", user_id="ada", metadata={"source": "examples/remember.py"})
        except ServerError as error:
            print(f"This formation keeps no memories: {error}", file=sys.stderr)
            return 1
        for memory in formation.iter_memories("ada"):
            print(f"{memory['id']}  {memory['created_at']}  {memory['content']}")
        formation.delete_memory("ada", added["id"])
        print(f"{added['id']} is forgotten")
    return 0


if __name__ == "__main__":
    sys.exit(main())
