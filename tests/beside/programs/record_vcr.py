"""Beside VCR.py: recorded into a cassette, and played from it."""

from pathlib import Path

import vcr
from driving import staged

with staged() as stage:
    path = str(Path(stage.options["folder"]) / "cassette.yaml")
    stage.call_before()
    with vcr.use_cassette(path, record_mode="once") as cassette:
        stage.call("recorded", lambda: [(it.method, it.uri) for it in cassette.requests])
    stage.call("between")
    with vcr.use_cassette(path, record_mode="none") as cassette:
        stage.call("played", lambda: cassette.play_count)
        stage.call("exhausted")
    stage.call("after")
