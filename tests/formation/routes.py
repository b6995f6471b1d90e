"""The routes of a formation, read from the description of its wire."""

from __future__ import annotations

import re
from typing import NamedTuple

from muxi.call import Key

#: The page that says Up, and the same once more by mistake: no client has a use for them.
PAGES = {("GET", "/"), ("GET", "/v1")}

_HEAD = re.compile(r"^### (GET|POST|PUT|PATCH|DELETE) /v1(\S*)$", re.MULTILINE)
_AUTH = re.compile(r"^- auth: \*\*(admin|client|either|none)\b(.*)$", re.MULTILINE)


class Route(NamedTuple):
    """One route below ``/v1``."""

    method: str
    path: str
    key: Key
    #: Whether the route refuses to work without a user, whichever key is used.
    user_required: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_in(text: str) -> list[Route]:
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    routes = []
    for head, end in zip(heads, ends, strict=True):
        auth = _AUTH.search(text, head.end(), end)
        assert auth, f"{head[0]} has no auth line"
        needed = "needed with either key" in auth[2]
        routes.append(Route(head[1], head[2] or "/", Key(auth[1]), needed))
    return routes
