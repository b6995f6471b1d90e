"""Beside the agent of Elastic APM, which reports to a server of its own."""

import elasticapm
from driving import staged

with staged() as stage:
    stage.call_before()
    agent = elasticapm.Client(
        service_name="program",
        server_url=stage.options["intake"],
        cloud_provider=False,
        central_config=False,
        metrics_interval="0ms",
        span_compression_enabled=False,
        disable_log_record_factory=True,
    )
    elasticapm.instrument()
    agent.begin_transaction("script")
    stage.call("during")
    agent.end_transaction("program", "ok")
    elasticapm.uninstrument()
    stage.call("after")
    agent.close()
