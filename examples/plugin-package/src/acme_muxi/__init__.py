"""What Acme adds to muxi-client: a plugin that says who pays, and a transport that shadows traffic."""

from __future__ import annotations

from acme_muxi.cost_centre import PLUGIN, USAGE, CostCentre, Ledger, Usage, cost_centre
from acme_muxi.shadow import SHADOW, AsyncShadowTransport, ShadowTransport

__all__ = [
    "PLUGIN",
    "SHADOW",
    "USAGE",
    "AsyncShadowTransport",
    "CostCentre",
    "Ledger",
    "ShadowTransport",
    "Usage",
    "cost_centre",
]
