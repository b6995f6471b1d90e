"""The dashboard for Grafana shows the metrics that the plugin has, by labels that they have, and none is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require_module

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "examples" / "prometheus-dashboard.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "operating" / "prometheus.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """The labels of each series that the plugin exposes after a stream and a retry."""
    require_module("prometheus_client")
    from prometheus_client import CollectorRegistry

    from muxi import FormationClient
    from muxi.plugins import Prometheus
    from muxi_transports.memory import EmbeddedFormation, MemoryTransport

    registry = CollectorRegistry()
    plugin = Prometheus(registry)
    with FormationClient(transport=MemoryTransport(EmbeddedFormation()), plugins=[plugin]) as client:
        client.chat_stream("Hello", user_id="ada").result()
    plugin._metrics.retries.labels("health").inc()
    return {sample.name: set(sample.labels) for family in registry.collect() for sample in family.samples}


def expressions() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*found, *(item["definition"] for item in DASHBOARD["templating"]["list"] if "definition" in item)]


def test_every_metric_and_label_of_the_dashboard_and_of_the_alerts_is_exposed(samples: dict[str, set[str]]) -> None:
    alerts = re.findall(r"expr: (.*)", PAGE)
    assert len(alerts) == 3
    for expression in [*expressions(), *alerts]:
        names = re.findall(r"\bmuxi_\w+", expression)
        assert names, expression
        for name in names:
            assert name in samples, name
        known = set().union(*(samples[name] for name in names))
        grouped = ",".join(re.findall(r"by \(([^)]*)\)", expression))
        matched = ",".join(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression))
        assert {label.strip() for label in f"{grouped},{matched}".split(",") if label.strip()} <= known, expression


def test_the_dashboard_leaves_no_metric_out(samples: dict[str, set[str]]) -> None:
    shown = " ".join(expressions())
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in samples}
    assert not {name for name in families if name not in shown and f"{name}_total" not in shown}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(0 <= x < 24 for x, _ in cells)
    for panel in panels:
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
