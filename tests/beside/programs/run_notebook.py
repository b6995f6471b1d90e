"""Runs cells in a real IPython kernel, and prints what a notebook would have shown of each."""

from __future__ import annotations

import json
from typing import Any

from jupyter_client.manager import start_new_kernel

CELLS = (
    "from muxi import AsyncFormationClient, FormationClient\nformation = FormationClient()",
    "formation.chat_stream('*Hello*', user_id='ada')",
    "formation.chat('*Hello*', user_id='ada')",
    "formation.add_memory('Prefers <b>Python</b>', user_id='ada')\nformation.get_memories(user_id='ada')",
    "client = AsyncFormationClient()\nmessage = await client.chat_stream('Async', user_id='ada').show()\n"
    "print(message['content'])",
    "await client.chat('Awaited', user_id='ada')",
    "formation.chat_stream('*Later*', user_id='ada').result()",
    "{'content': 'a dict of the program'}",
    "await client.close()\nformation.close()",
)


def run_cell(client: Any, code: str) -> list[Any]:
    """Everything that a cell shows: bundles by MIME type, updates of them, texts, and errors."""
    shown: list[Any] = []

    def keep(message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "execute_result", "update_display_data"):
            shown.append([kind, content["data"]])
        elif kind == "stream":
            shown.append([kind, content["text"]])
        elif kind == "error":
            shown.append([kind, content["evalue"]])

    client.execute_interactive(code, timeout=60, output_hook=keep)
    return shown


def main() -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        print(json.dumps([run_cell(client, cell) for cell in CELLS]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
