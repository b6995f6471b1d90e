"""With an adapter of requests-toolbelt."""

import json
import socket
import sys
from collections.abc import Callable
from typing import Any

from driving import staged
from requests_toolbelt.adapters.socket_options import SocketOptionsAdapter, TCPKeepAliveAdapter
from requests_toolbelt.adapters.source import SourceAddressAdapter

ADAPTERS: dict[str, Callable[[], Any]] = {
    "source": lambda: SourceAddressAdapter("127.0.0.2"),
    "socket options": lambda: SocketOptionsAdapter(socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]),
    "keep-alive": lambda: TCPKeepAliveAdapter(idle=60, interval=10),
}

with staged(make_adapter=ADAPTERS[json.loads(sys.argv[1])["adapter"]]) as stage:
    stage.call("first")
    stage.call("second")
