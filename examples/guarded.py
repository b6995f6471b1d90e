"""Guard a client: an audit trail, redaction, limits, a circuit breaker and a cache, over one formation.

Needs ``pip install 'muxi-client[cache]'``. ``MUXI_TRANSPORT=memory`` runs it against an in-memory world.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from muxi import FormationClient, MuxiError
from muxi.plugins import (
    AuditTrail,
    CircuitBreaker,
    ConcurrencyLimit,
    RateLimit,
    Redaction,
    ResponseCache,
    mask_emails_and_numbers,
)
from muxi.plugins.audit import verify


def main(folder: Path) -> None:
    trail, breaker, cache = AuditTrail(folder / "audit.jsonl"), CircuitBreaker(), ResponseCache(ttl=60)
    # Their order does not matter: a cache comes before the limits, and the trail before all of them.
    plugins = [
        trail,
        Redaction(mask_emails_and_numbers),
        cache,
        breaker,
        ConcurrencyLimit(8),
        RateLimit(10),
    ]
    with FormationClient(plugins=plugins) as formation:
        message = formation.chat_stream("Write to ada@example.com", user_id="user_123").result()
        print(message["content"])
        for _ in range(3):
            formation.get_memories("user_123")
    print(f"{cache.hits} answers out of the cache; the circuit is {breaker.state}")
    found = verify(trail.path, head=trail.head)
    print(f"{found.lines} lines of the trail are {'unaltered' if found.ok else found.problem}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        try:
            main(Path(temporary))
        except MuxiError as error:
            sys.exit(f"{type(error).__name__}: {error}")
