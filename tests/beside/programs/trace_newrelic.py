"""Beside the agent of New Relic, which reports to a collector over TLS."""

import newrelic.agent
from driving import staged

with staged() as stage:
    stage.call_before()
    newrelic.agent.initialize()
    application = newrelic.agent.register_application(timeout=20)
    with newrelic.agent.BackgroundTask(application, name="program"):
        stage.call("during")
    newrelic.agent.shutdown_agent(timeout=20)
