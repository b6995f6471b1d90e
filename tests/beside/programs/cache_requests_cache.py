"""Beside requests-cache, installed for the whole program."""

import requests_cache
from driving import staged

with staged() as stage:
    stage.call_before()
    requests_cache.install_cache(backend="memory")
    stage.call("during", lambda: len(requests_cache.get_cache().responses))
    stage.call("again", lambda: len(requests_cache.get_cache().responses))
    requests_cache.uninstall_cache()
    stage.call("after")
