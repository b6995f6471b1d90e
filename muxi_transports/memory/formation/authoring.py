"""The methods of a formation that tests use: agents, scripts, triggers, history, events."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TypeVar, overload

from muxi.clock import Clock
from muxi.errors import ConfigurationError
from muxi_transports.memory.formation.agents import Agent, Agents, echo
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.scripts import Line, Replies, ReplyScript
from muxi_transports.memory.formation.state.diary import Diary, DiaryEntry
from muxi_transports.memory.formation.state.feeds import FeedEvent, Feeds
from muxi_transports.memory.formation.state.triggers import TriggerTemplate

__all__ = ["FormationAuthoring"]

A = TypeVar("A", bound=Agent)


class FormationAuthoring:
    """Base of the embedded formation: the methods for tests."""

    clock: Clock
    ids: Ids
    lock: threading.RLock
    agents: Agents
    triggers: dict[str, TriggerTemplate]
    diary: Diary
    feeds: Feeds

    @overload
    def agent(self, agent_id: str) -> Callable[[A], A]: ...
    @overload
    def agent(self, agent_id: str, reply: Agent) -> Agent: ...
    def agent(self, agent_id: str, reply: Agent | None = None) -> Agent | Callable[[A], A]:
        """Give the formation an agent; the first one answers where a message names none.

        Without agents there is ``assistant``, which says ``You said: …`` word by word.

        Args:
            agent_id: its id.
            reply: a function from :class:`~muxi_transports.memory.Turn` to a reply; left out, this is a
                decorator.

        Returns:
            The function.

        Raises:
            ConfigurationError: the function is ``async``; the formation runs without an event loop.
        """
        if reply is None:

            def give(function: A) -> A:
                self.agent(agent_id, function)
                return function

            return give
        if inspect.iscoroutinefunction(reply) or inspect.isasyncgenfunction(reply):
            raise ConfigurationError(
                f"the agent {agent_id!r} is async; an agent is a plain function, and waits with `yield Pause(seconds)`"
            )
        with self.lock:
            self.agents.given[agent_id] = reply
        return reply

    @overload
    def script(self, script: ReplyScript, *, otherwise: Line = echo, agent_id: str | None = None) -> Replies: ...
    @overload
    def script(self, script: Iterable[Line], *, agent_id: str | None = None) -> Replies: ...
    def script(
        self, script: ReplyScript | Iterable[Line], *, otherwise: Line = echo, agent_id: str | None = None
    ) -> Replies:
        """Have an agent go by a script.

        Args:
            script: replies by message, a whole text or a pattern; or replies in their order.
            otherwise: the reply to what is not in a mapping.
            agent_id: whose script; the default agent's if not given.

        Returns:
            The script, which remembers the turns that came to it.
        """
        replies = Replies(script, otherwise=otherwise) if isinstance(script, Mapping) else Replies.in_order(*script)
        self.agent(agent_id or self.agents.default, replies)
        return replies

    def trigger(self, name: str, template: str) -> None:
        """Give the formation a trigger.

        Args:
            name: letters, digits, hyphens and underscores.
            template: the message for the agent, with ``${{ data.place.city }}`` for what the event brings. Front matter
                (``---``, YAML, ``---``) may name a ``webhook``, where the outcome of asynchronous runs goes.

        Raises:
            ConfigurationError: the name has other characters.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigurationError(f"a trigger is named by letters, digits, hyphens and underscores, not {name!r}")
        with self.lock:
            self.triggers[name] = TriggerTemplate(name, template)

    def write_history(
        self,
        user_id: str,
        day: date | str,
        summary: str,
        *,
        decisions: Iterable[str] = (),
        projects: Iterable[str] = (),
        context: str = "",
        sources: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Write an entry of the diary about a user (``GET /v1/history``).

        Args:
            user_id: about whom.
            day: which day; a text is ISO 8601.
            summary: what happened.
            decisions: what was decided.
            projects: what was worked on.
            context: what else there is to know.
            sources: type and id of what it was made from.

        Raises:
            ValueError: the day is none.
        """
        when = date.fromisoformat(day) if isinstance(day, str) else day
        now = self.clock.time()
        with self.lock:
            entry = DiaryEntry(
                self.ids.new(), when, summary, now, tuple(decisions), tuple(projects), context, tuple(sources)
            )
            self.diary.add(user_id, entry)

    def emit_event(
        self,
        event_type: str,
        message: str = "",
        *,
        level: str = "info",
        user_id: str | None = None,
        session_id: str | None = None,
        request_id: str | None = None,
        agent_id: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Publish an event to ``/v1/events`` and ``/v1/logs``.

        Args:
            event_type: its type; ``/v1/events`` has ``chat.…``, ``agent.…``, ``workflow.…`` and ``task.…`` alone.
            message: the text for people.
            level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``.
            user_id: whom it concerns.
            session_id: where.
            request_id: to which request.
            agent_id: which agent.
            data: what else there is to say.
        """
        now = self.clock.time()
        event = FeedEvent(event_type, message, now, level, user_id, session_id, request_id, agent_id, dict(data or {}))
        with self.lock:
            self.feeds.publish(event)

    def log(self, message: str, *, level: str = "info", event_type: str = "system.log", user_id: str = "0") -> None:
        """Write to the log (``/v1/logs``); as :meth:`emit_event`, for types that ``/v1/events`` leaves out."""
        self.emit_event(event_type, message, level=level, user_id=user_id)

    def end_feeds(self) -> None:
        """End all streams of events and logs, after what they have still to say."""
        with self.lock:
            self.feeds.end()
