"""Beside gevent: greenlets call at once."""

# ruff: noqa: E402  gevent wants to be first
import json
import sys

LATE = json.loads(sys.argv[1])["late"]

from gevent import monkey

if not LATE:
    monkey.patch_all()

import time

import gevent
from driving import staged

with staged() as stage:
    stage.call_before()
    if LATE:
        monkey.patch_all()
    stage.call("during")
    begin = time.monotonic()
    greenlets = [gevent.spawn(stage.caller.attempt, stage.caller.health) for _ in range(20)]
    gevent.joinall(greenlets, timeout=60)
    at_once = time.monotonic() - begin < 20 * stage.options["pause"] / 2
    stage.phases[-1]["seen"] = [len({greenlet.value for greenlet in greenlets}), at_once]
