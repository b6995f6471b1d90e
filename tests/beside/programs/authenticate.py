"""With the authentication classes of requests."""

import json
import sys

import requests
from driving import staged
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

SCHEMES = {"basic": HTTPBasicAuth, "digest": HTTPDigestAuth}


def make_session() -> requests.Session:
    session = requests.Session()
    session.auth = SCHEMES[json.loads(sys.argv[1])["scheme"]]("ada", "secret")
    return session


with staged(make_session) as stage:
    stage.call("first")
    stage.call("second")
