"""Serving until a signal ends it."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from muxi.cli.commands.serve.browsers import OpenToBrowsers
from muxi.cli.commands.serve.greeting import greeting
from muxi.cli.commands.serve.options import ServeOptions
from muxi.cli.commands.serve.requests import LoggedWorld
from muxi.cli.commands.serve.script import ScriptError, ServeScript, read_script
from muxi.cli.exits import Exit, Failure
from muxi.cli.terminal import answer
from muxi.formation import FormationClient
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport, Sandbox, serve
from muxi_transports.memory.world import World

__all__ = ["run"]


def run(options: ServeOptions) -> None:
    """Serve what the options say until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: what serving takes is not installed.
        Failure: the script has mistakes, or the address cannot be had.
    """
    try:
        script = read_script(options.script) if options.script else ServeScript()
    except ScriptError as error:
        raise Failure(str(error), Exit.MISUSED) from error
    formation = _formation(script, options)
    server = _server(formation, options) if options.server else None
    world: World = OpenToBrowsers(Sandbox(formation=formation, server=server)) if server else formation
    with _stop_signal() as stop:
        try:
            with serve(LoggedWorld(world), options.port, host=options.host, path=options.uds) as served:
                if server is not None:
                    server.port = served.port
                answer(greeting(served, formation, options))
                _wait(stop)
                formation.end_feeds()
        except OSError as error:
            raise Failure(_bind_error(error, options), Exit.MISUSED) from error
    answer("\nStopped.")


def _formation(script: ServeScript, options: ServeOptions) -> EmbeddedFormation:
    formation = EmbeddedFormation(
        script.formation_id,
        name=script.name,
        description=script.description,
        version=script.version,
        client_key=options.client_key,
        admin_key=options.admin_key,
        pace=options.pace,
    )
    for agent_id, replies in script.agents.items():
        formation.agent(agent_id, replies)
    for name, template in script.triggers.items():
        formation.trigger(name, template)
    for entry in script.history:
        formation.write_history(**entry)
    if script.memories:
        # Kept like all memories: by a call to the formation.
        key = options.client_key or "any"
        with FormationClient(url="http://memory", client_key=key, transport=MemoryTransport(formation)) as client:
            for memory in script.memories:
                client.add_memory(memory.content, user_id=memory.user_id, metadata=dict(memory.metadata))
    return formation


def _server(formation: EmbeddedFormation, options: ServeOptions) -> EmbeddedServer:
    server = EmbeddedServer(key_id=options.key_id, secret_key=options.secret_key, clock=formation.clock)
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


def _bind_error(error: OSError, options: ServeOptions) -> str:
    if options.uds:
        return f"cannot serve on the Unix socket {options.uds}: {error.strerror or error}"
    place = f"{options.host}:{options.port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot serve on {place}: the port is in use; choose another one with --port, or 0 for a free one"
    return f"cannot serve on {place}: {error.strerror or error}"
