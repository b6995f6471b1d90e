"""What answers where nothing has to have happened: pages, health, unknown paths, refused keys."""

from __future__ import annotations

from tests.memory.conformance.replay import Prepare, Setup, nothing

ANSWERS: dict[str, Prepare | Setup] = {
    "cors_preflight": nothing,
    "health": nothing,
    "health_root": nothing,
    "nf_root": nothing,
    "nf_root2": nothing,
    "no_dual_key": nothing,
    "root": nothing,
    "v1": nothing,
    "v1slash": nothing,
}
