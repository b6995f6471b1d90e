"""Beside truststore, injected into ssl."""

import truststore
from driving import staged

with staged() as stage:
    stage.call_before()
    truststore.inject_into_ssl()
    stage.call("during")
    truststore.extract_from_ssl()
    stage.call("after")
