"""Serving until a signal ends it."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from muxi.cli.serve.browsers import OpenToBrowsers
from muxi.cli.serve.greeting import greeting
from muxi.cli.serve.requests import LoggedWorld
from muxi.cli.serve.script import ScriptError, ServeScript, read_script
from muxi.formation import FormationClient
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport, Sandbox, serve
from muxi_transports.memory.world import World

__all__ = ["run"]

#: The command was used wrongly.
MISUSED = 2


def run(arguments: argparse.Namespace) -> int:
    """Serve what the arguments say until Ctrl-C or SIGTERM.

    Returns:
        The exit code: 0, 2 where the script has mistakes or the address cannot be had.

    Raises:
        ConfigurationError: what serving takes is not installed.
    """
    try:
        script = read_script(arguments.script) if arguments.script else ServeScript()
    except ScriptError as error:
        print(f"muxi-client: {error}", file=sys.stderr)
        return MISUSED
    formation = _formation(script, arguments)
    server = _server(formation, arguments) if arguments.server else None
    world: World = OpenToBrowsers(Sandbox(formation=formation, server=server)) if server else formation
    with _stop_signal() as stop:
        try:
            with serve(LoggedWorld(world), arguments.port, host=arguments.host, path=arguments.uds) as served:
                if server is not None:
                    server.port = served.port
                print(greeting(served, formation, arguments), flush=True)
                _wait(stop)
                formation.end_feeds()
        except OSError as error:
            print(f"muxi-client: {_bind_error(error, arguments)}", file=sys.stderr)
            return MISUSED
    print("\nStopped.")
    return 0


def _formation(script: ServeScript, arguments: argparse.Namespace) -> EmbeddedFormation:
    formation = EmbeddedFormation(
        script.formation_id,
        name=script.name,
        description=script.description,
        version=script.version,
        client_key=arguments.client_key,
        admin_key=arguments.admin_key,
        pace=arguments.pace,
    )
    for agent_id, replies in script.agents.items():
        formation.agent(agent_id, replies)
    for name, template in script.triggers.items():
        formation.trigger(name, template)
    for entry in script.history:
        formation.write_history(**entry)
    if script.memories:
        # Kept like all memories: by a call to the formation.
        key = arguments.client_key or "any"
        with FormationClient(url="http://memory", client_key=key, transport=MemoryTransport(formation)) as client:
            for memory in script.memories:
                client.add_memory(memory.content, user_id=memory.user_id, metadata=dict(memory.metadata))
    return formation


def _server(formation: EmbeddedFormation, arguments: argparse.Namespace) -> EmbeddedServer:
    server = EmbeddedServer(key_id=arguments.key_id, secret_key=arguments.secret_key, clock=formation.clock)
    server.add(formation)
    return server


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(stop: threading.Event) -> None:
    # On Windows a wait without an end cannot be interrupted.
    while not stop.wait(0.5 if os.name == "nt" else None):
        pass


def _bind_error(error: OSError, arguments: argparse.Namespace) -> str:
    if arguments.uds:
        return f"cannot serve on the Unix socket {arguments.uds}: {error.strerror or error}"
    place = f"{arguments.host}:{arguments.port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot serve on {place}: the port is in use; choose another one with --port, or 0 for a free one"
    return f"cannot serve on {place}: {error.strerror or error}"
