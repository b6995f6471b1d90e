"""Locks after a fork: the child gets new ones, because a thread that it does not have may hold the old."""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["renew_after_fork"]

#: The classes of locks without a state but being held.
_LOCKS = (type(threading.Lock()), type(threading.RLock()))

#: Owners of locks by their id, each with the attributes that hold one.
_owners: dict[int, tuple[weakref.ref[object], tuple[str, ...]]] = {}


def renew_after_fork(owner: object, *names: str) -> None:
    """Have the locks of an object made anew in the child of a fork.

    Args:
        owner: the object, or the module.
        names: its attributes that hold locks, conditions or events, which are made without arguments.
    """
    key = id(owner)
    _owners[key] = weakref.ref(owner, lambda _: _owners.pop(key, None)), names


def _renew() -> None:
    for reference, names in list(_owners.values()):
        owner = reference()
        if owner is None:
            continue
        for name in names:
            lock = getattr(owner, name, None)
            # In place, as the library of Python does it: several objects may share a lock.
            renew = getattr(lock, "_at_fork_reinit", None)
            if isinstance(lock, _LOCKS) and renew is not None:
                renew()
            elif (make := _makers().get(type(lock))) is not None:
                setattr(owner, name, make())


def _makers() -> dict[type, type]:
    kinds = (threading.Lock, threading.RLock, threading.Condition, threading.Event)
    return {type(kind()): kind for kind in kinds}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
