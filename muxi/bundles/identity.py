"""The types of bundles, and the check of a formation's id. Light to import: nothing is read here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import IO, Any, BinaryIO, NamedTuple, TypeAlias

from muxi.bundles.refusal import refused
from muxi.bundles.report import BundlePlan
from muxi.transport import Body

__all__ = ["BundleSource", "Identity", "Prepared", "Progress", "check_id"]

#: A ``.tar.gz`` by its path, a folder by its path, the bytes of a ``.tar.gz``, or one as an open binary file.
BundleSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | IO[bytes]

#: Called with the bytes sent so far and the bytes there are.
Progress: TypeAlias = Callable[[int, int], Any]

#: Ids that are paths of the server.
RESERVED_IDS = frozenset({"health", "ping", "rpc", "server", "admin", "metrics", "api"})


class Identity(NamedTuple):
    """The identity of the formation in a bundle."""

    id: str
    version: str


class Prepared(NamedTuple):
    """A checked bundle, which can be sent more than once."""

    identity: Identity
    body: Body
    #: The files of a packed folder, and those that were left out; None for an archive.
    plan: BundlePlan | None = None


def check_id(formation_id: str, where: str = "") -> None:
    """Refuse a text that cannot be the id of a formation on a server.

    Raises:
        ValidationError: gives the reason.
    """
    name = f"{where}id {formation_id!r}"
    if not 3 <= len(formation_id) <= 50:
        raise refused("id", f"{name} has {len(formation_id)} characters; an id has 3 to 50")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", formation_id):
        raise refused(
            "id", f"{name} has something else than lower-case letters, digits and, between them, hyphens (a-z, 0-9, -)"
        )
    if formation_id in RESERVED_IDS:
        raise refused("id", f"{name} is reserved for the server itself")
