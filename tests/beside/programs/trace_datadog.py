"""Beside the agent of Datadog, as ddtrace.auto starts it or as a program patches with it."""

import driving

with driving.staged() as stage:
    stage.call_before()
    if stage.options["auto"]:
        import ddtrace.auto
    import ddtrace
    from ddtrace.trace import tracer

    if not stage.options["auto"]:
        ddtrace.patch(requests=True, urllib3=True, httplib=True, aiohttp=True)
    with tracer.trace("program"):
        stage.call("during")
    tracer.flush()
