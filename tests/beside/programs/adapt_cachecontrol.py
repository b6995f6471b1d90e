"""With CacheControl around a session, or its adapter."""

import json
import sys

import requests
from cachecontrol import CacheControl
from cachecontrol.adapter import CacheControlAdapter
from driving import staged

if json.loads(sys.argv[1])["by"] == "session":
    made = staged(make_session=lambda: CacheControl(requests.Session()))
else:
    made = staged(make_adapter=CacheControlAdapter)

with made as stage:
    stage.call("first")
    stage.call("second")
