"""Users: who there is, and the names each goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from muxi.clock import Clock
from muxi_transports.memory.formation.access import is_email, normal_user
from muxi_transports.memory.formation.ids import Ids

__all__ = ["Name", "User", "Users"]


class Name(NamedTuple):
    """A name that a user goes by: what kind it is, and since when."""

    type: str
    created_at: float


@dataclass
class User:
    """One user.

    Args:
        number: the number the formation counts them by, which everything of theirs is kept under.
        muxi_id: the id that other routes know them by.
        names: their identifiers.
    """

    number: int
    muxi_id: str
    names: dict[str, Name] = field(default_factory=dict)


class Users:
    """All users by number. Writing anything makes a user; several identifiers may name one user."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._users: list[User] = []
        self._by_name: dict[str, User] = {}

    def number(self, identifier: str) -> int:
        """The number of a user, who is made where the name is new."""
        return self.resolve(identifier).number

    def number_of(self, identifier: str) -> int | None:
        """Return the number of a user; None for an unknown identifier."""
        user = self.find(identifier)
        return None if user is None else user.number

    def find(self, identifier: str) -> User | None:
        """Find the user of an identifier; e-mail addresses in any case."""
        return self._by_name.get(_spelt(identifier))

    def same(self, one: str | None, other: str | None) -> bool:
        """True if two identifiers name one user."""
        if one is None or other is None:
            return one == other
        return _spelt(one) == _spelt(other) or ((user := self.find(one)) is not None and user is self.find(other))

    def resolve(self, identifier: str, kind: str | None = None) -> User:
        """Find the user of an identifier, or make one."""
        user = self.find(identifier)
        if user is None:
            user = self.make()
            self.name(user, identifier, kind)
        return user

    def make(self) -> User:
        """A new user without a name."""
        user = User(len(self._users) + 1, self._ids.new())
        self._users.append(user)
        return user

    def by_muxi_id(self, muxi_id: str) -> User | None:
        """A user by the MUXI id, which is no name."""
        return next((user for user in self._users if user.muxi_id == muxi_id), None)

    def name(self, user: User, identifier: str, kind: str | None = None) -> tuple[str, str]:
        """Give a user an identifier. It is taken from its present owner without an error (the wire).

        Returns:
            The name as it is kept, and its kind.
        """
        spelt = _spelt(identifier)
        before = self.remove(spelt)
        self._by_name[spelt] = user
        since = before[1].created_at if before is not None and before[0] is user else self._clock.time()
        name = user.names[spelt] = Name(kind or ("email" if is_email(spelt) else "unknown"), since)
        return spelt, name.type

    def remove(self, identifier: str) -> tuple[User, Name] | None:
        """Remove an identifier. Returns its user and its time of creation; None if it is unknown."""
        user = self._by_name.pop(_spelt(identifier), None)
        return None if user is None else (user, user.names.pop(_spelt(identifier)))


def _spelt(identifier: str) -> str:
    return normal_user(identifier) or identifier
