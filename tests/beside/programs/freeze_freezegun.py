"""Beside freezegun: time stands still, jumps by a day, and goes on."""

import freezegun
from driving import staged

with staged() as stage:
    stage.call_before()
    with freezegun.freeze_time("2020-02-29 12:00:00") as frozen:
        stage.call("frozen")
        frozen.tick(86400)
        stage.call("a day later")
    stage.call("after")
