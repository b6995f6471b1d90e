"""Channels: the users' preferences, and the notices delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from muxi_transports.memory.formation.state.users import Users
from muxi_transports.memory.incidents import Incidents

__all__ = ["Channels", "Notice", "Preferences"]


#: The channel that every formation has.
WEBHOOK = "webhook"


@dataclass(frozen=True)
class Notice:
    """A notification to a user.

    Args:
        request_id: the request it came of.
        user_id: the recipient.
        message: what.
        channel: by which way.
        address: what the user has given for that channel, such as ``{"chat_id": "1"}``.
    """

    request_id: str
    user_id: str
    message: str
    channel: str
    address: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Preferences:
    """The channel preferences of one user."""

    preferred: str | None = None
    channels: dict[str, dict[str, object]] = field(default_factory=dict)
    last: str | None = None
    timezone: str | None = None

    def on_wire(self, user_id: str) -> dict[str, object]:
        """The preferences as ``GET /v1/users/{user_id}/channels`` has them."""
        return {
            "user_id": user_id,
            "preferred_channel": self.preferred,
            "channels": {name: dict(address) for name, address in self.channels.items()},
            "last_channel": self.last,
            "timezone": self.timezone,
        }


class Channels:
    """Preferences by user, and the notices that were delivered."""

    def __init__(self, users: Users, incidents: Incidents) -> None:
        self._incidents = incidents
        self._users = users
        self._preferences: dict[int, Preferences] = {}
        #: The function that carries a notice, by channel; one that raises has failed. Without one, a channel delivers
        #: to :attr:`sent` alone.
        self.carriers: dict[str, Callable[[Notice], object]] = {}
        #: Every notice that was delivered, oldest first.
        self.sent: list[Notice] = []

    def of(self, user_id: str) -> Preferences:
        """Return the preferences of a user."""
        number = self._users.number_of(user_id)
        return Preferences() if number is None else self._preferences.get(number, Preferences())

    def change(self, user_id: str) -> Preferences:
        """Return the preferences of a user for a change; they are made if there are none."""
        return self._preferences.setdefault(self._users.number(user_id), Preferences())

    def chosen(self, user_id: str, wanted: list[str], declared: list[str], default: str) -> list[str]:
        """The channels that a notice takes.

        Args:
            user_id: the recipient.
            wanted: names of channels, ``last`` and ``preferred``; those that lead nowhere are left out.
            declared: the channels of the formation.
            default: the one that is taken where nothing else is left.
        """
        preferences = self.of(user_id)
        aliases = {"last": preferences.last, "preferred": preferences.preferred}
        named = [aliases.get(name, name) for name in wanted or ["preferred"]]
        known = [name for name in named if name == WEBHOOK or name in declared]
        return list(dict.fromkeys(name for name in known if name)) or [default]

    def deliver(self, notice: Notice) -> bool:
        """Carry a notice; whether it arrived."""
        carrier = self.carriers.get(notice.channel)
        if carrier is not None:
            try:
                with self._incidents.watch(f"the carrier of the channel {notice.channel!r}"):
                    carrier(notice)
            except Exception:
                # As the runtime has it: the next channel is tried.
                return False
        self.sent.append(notice)
        self.change(notice.user_id).last = notice.channel
        return True
