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
from muxi.cli.exits import CommandFailure, Exit
from muxi.cli.terminal import answer, say
from muxi.clock import Clock
from muxi.formation import FormationClient
from muxi.transport import Request
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport, Sandbox, serve
from muxi_transports.memory.world import Exchange, World

__all__ = ["run"]

#: Seconds between two looks at the file of a script.
_LOOK = 0.3


def run(options: ServeOptions) -> None:
    """Serve what the options say until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: what serving takes is not installed.
        CommandFailure: the script has mistakes, or the address cannot be had.
    """
    try:
        world = _ScriptedWorld(options)
    except ScriptError as error:
        raise CommandFailure(str(error), Exit.MISUSED) from error
    with _stop_signal() as stop:
        try:
            with serve(LoggedWorld(world), options.port, host=options.host, path=options.uds) as served:
                world.set_port(served.port)
                answer(greeting(served, world.formation, options))
                _wait(stop, world if options.reload else None)
                world.formation.end_feeds()
        except OSError as error:
            raise CommandFailure(_bind_error(error, options), Exit.MISUSED) from error
    answer("\nStopped.")


class _ScriptedWorld:
    """The world of a script, which can be made anew.

    Raises:
        ScriptError: the script has mistakes.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._port = 0
        self._seen = self._state()
        self.formation, self._world = self._make()

    @property
    def clock(self) -> Clock:
        """The time of the world."""
        return self._world.clock

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        return self._world.respond(request)

    def set_port(self, port: int) -> None:
        """Set the port that the server shows in its answers."""
        self._port = port
        if isinstance(self._world, OpenToBrowsers) and self._server is not None:
            self._server.port = port

    def reload_if_changed(self) -> None:
        """Make the world anew if the file of the script has changed; a mistake in it leaves the world as it is."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            formation, world = self._make()
        except ScriptError as error:
            say(f"muxi-client: {error}; the formation stays as it was")
            return
        before, self.formation, self._world = self.formation, formation, world
        self.set_port(self._port)
        before.end_feeds()
        answer(f"The script has changed; the formation {formation.formation_id!r} has started anew.")

    def _make(self) -> tuple[EmbeddedFormation, World]:
        options = self._options
        formation = _formation(read_script(options.script) if options.script else ServeScript(), options)
        self._server = _server(formation, options) if options.server else None
        if self._server is None:
            return formation, formation
        return formation, OpenToBrowsers(Sandbox(formation=formation, server=self._server))

    def _state(self) -> tuple[int, int] | None:
        """Return time and size of the script's file; None where there is none."""
        try:
            found = os.stat(self._options.script or "")
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


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


def _wait(stop: threading.Event, world: _ScriptedWorld | None) -> None:
    # On Windows a wait without an end cannot be interrupted.
    while not stop.wait(_LOOK if world or os.name == "nt" else None):
        if world:
            world.reload_if_changed()


def _bind_error(error: OSError, options: ServeOptions) -> str:
    if options.uds:
        return f"cannot serve on the Unix socket {options.uds}: {error.strerror or error}"
    place = f"{options.host}:{options.port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot serve on {place}: the port is in use; choose another one with --port, or 0 for a free one"
    return f"cannot serve on {place}: {error.strerror or error}"
