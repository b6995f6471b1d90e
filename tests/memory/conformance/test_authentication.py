"""Who is let in where: each embedded route with each kind of key, as recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import Response
from muxi_transports.memory import EmbeddedFormation
from muxi_transports.memory.formation.routes import ROUTES
from tests.memory.conformance.replay import ADMIN, CLIENT, replay

USER = {"X-Muxi-User-ID": "alice"}
#: What was sent with each variant.
VARIANTS: dict[str, dict[str, str]] = {
    "none": {},
    "wrong_admin": {"X-Muxi-Admin-Key": "nope"},
    "wrong_client": {"X-Muxi-Client-Key": "nope"},
    "admin": {"X-Muxi-Admin-Key": ADMIN},
    "client": {"X-Muxi-Client-Key": CLIENT},
    "admin+user": {"X-Muxi-Admin-Key": ADMIN, **USER},
    "client+user": {"X-Muxi-Client-Key": CLIENT, **USER},
    "admin_as_client": {"X-Muxi-Client-Key": ADMIN},
    "client_as_admin": {"X-Muxi-Admin-Key": CLIENT},
    "bearer_client": {"Authorization": f"Bearer {CLIENT}"},
}
EMBEDDED = {f"{route.method} {route.path}" for route in ROUTES}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_keys_are_refused(variant: str, wire: Path, clock: ManualClock) -> None:
    matrix: dict[str, dict[str, str]] = json.loads((wire / "auth-matrix.json").read_text("utf-8"))
    operations = sorted(matrix.keys() & EMBEDDED)
    assert len(operations) > 40
    formation = EmbeddedFormation("wire-lab", client_key=CLIENT, admin_key=ADMIN, clock=clock, seed=1)
    for operation in operations:
        method, path = operation.split(" ", 1)
        request = {
            "method": method,
            "path": re.sub(r"\{\w+\}", "none", path),
            "headers": VARIANTS[variant],
            "body": "{}" if method in ("POST", "PUT", "PATCH") else None,
        }
        wanted = matrix[operation][variant]
        got = outcome(replay(formation, request))
        # What the recording refused is refused alike; what it let in is let in, whatever there is to find.
        if wanted.startswith(("401", "403")) or got.startswith(("401", "403")):
            assert got == wanted, operation


def outcome(response: Response) -> str:
    """The status, with the code of an error."""
    if response.status < 400:
        response.close()
        return str(response.status)
    answer: dict[str, Any] = json.loads(response.read())
    return f"{response.status}/{answer['error']['code']}"
