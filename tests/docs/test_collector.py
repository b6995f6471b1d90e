"""The recipe for a collector: its program, as it stands on the page, delivers spans and metrics by OTLP over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.docs.test_blocks import blocks_of
from tests.requirements import require_module

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating" / "opentelemetry.md"


def test_the_program_of_the_recipe_delivers_its_spans_and_metrics() -> None:
    require_module("opentelemetry.exporter.otlp.proto.http")
    from tests.plugins.tracing.collector import listen, values_of

    [program] = [block.code for block in blocks_of(PAGE) if block.mark == "own process"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "OTEL_"))}
    with listen() as collector:
        settings = {"MUXI_TRANSPORT": "memory", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=kept | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        attempt, call = collector.spans
        resources = [values_of(found.resource.attributes)["service.name"] for found in collector.resource_spans]
        metrics = collector.metrics
    assert set(resources) == {"shop"}
    assert (attempt.name, call.name) == ("POST /v1/chat", "invoke_agent")
    assert attempt.kind == call.kind == call.SPAN_KIND_CLIENT
    assert attempt.parent_span_id == call.span_id
    attributes = values_of(call.attributes)
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    assert attributes["gen_ai.provider.name"] == "muxi"
    assert {"http.client.request.duration", "gen_ai.client.operation.duration"} <= metrics.keys()


def test_the_configuration_of_the_collector_uses_what_it_defines() -> None:
    yaml = require_module("yaml")
    text = PAGE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    config: dict[str, Any] = yaml.safe_load(text)
    # The port to which the exporters send where no variable names another.
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    assert config["service"]["pipelines"].keys() == {"traces", "metrics"}
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= config[kind].keys()
