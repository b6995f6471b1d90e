"""Beside the SDK of AWS X-Ray, which reports to its daemon over UDP."""

from aws_xray_sdk.core import patch, xray_recorder
from driving import staged

with staged() as stage:
    stage.call_before()
    xray_recorder.configure(service="program", daemon_address=stage.options["daemon"], sampling=False)
    patch(("requests", "httplib"))
    with xray_recorder.in_segment("program"):
        stage.call("during")
