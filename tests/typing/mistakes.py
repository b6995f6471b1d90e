"""Mistakes that both type checkers have to find. Never run.

Each line has an error to ignore, and both checkers complain of a line that has none (see test_type_checkers.py).
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from muxi import AsyncFormationClient, FormationClient, ServerClient


def arguments(client: FormationClient, server: ServerClient) -> None:
    client.get_memories(usr_id="u")  # type: ignore[call-arg]
    client.get_memories()  # type: ignore[call-arg]
    client.get_memories(5)  # type: ignore[arg-type]
    client.chat("Hi", user="u")  # type: ignore[call-arg]
    client.chat_stream()  # type: ignore[call-arg]
    client.iter_memories(limit=1)  # type: ignore[call-arg]
    client.wait_for_request("r")  # type: ignore[call-arg]
    client.get_memoriez("u")  # type: ignore[attr-defined]
    server.stop_formation(id="x")  # type: ignore[call-arg]
    FormationClient.get_memories.call(usr_id="u")  # type: ignore[call-arg]
    FormationClient.chat_stream.call()  # type: ignore[call-arg]
    client.with_raw_response.chat("Hi", user="u")  # type: ignore[call-arg]
    client.chat("Hi")["mesage"]  # type: ignore[misc]
    next(client.chat_stream("Hi"))["typ"]  # type: ignore[misc]


async def async_arguments(client: AsyncFormationClient) -> None:
    await client.get_memories(usr_id="u")  # type: ignore[call-arg]
    await client.get_memories()  # type: ignore[call-arg]
    client.chat_stream("Hi", user="u")  # type: ignore[call-arg]
    client.get_memories("u")["memories"]  # type: ignore[index]
    for _ in client.iter_memories("u"):  # type: ignore[attr-defined]
        pass
    await client.with_raw_response.chat_stream("Hi", user="u")  # type: ignore[call-arg]


def settings(client: FormationClient) -> None:
    FormationClient(client_kay="x")  # type: ignore[call-arg]
    FormationClient(timeout="30")  # type: ignore[arg-type]
    FormationClient(mode="test")  # type: ignore[arg-type]
    ServerClient(formation_id="x")  # type: ignore[call-arg]
    client.with_options(timeot=3)  # type: ignore[call-arg]
    client.with_options(max_retries="3")  # type: ignore[arg-type]
