"""One measurement in a process of its own: ``python worker.py <what> <port> [transport]`` prints a number.

It runs with this SDK and with the official one alike; both have the names that are used here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def per_call(function: Callable[[], object], calls: int, warm_up: int = 50) -> float:
    """CPU microseconds of one call, after a warm-up."""
    for _ in range(warm_up):
        function()
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls * 1e6


def consume(stream: object) -> int:
    count = 0
    for event in stream:  # type: ignore[attr-defined]  # either SDK's stream
        event.get("type")
        count += 1
    return count


def consume_official(stream: object) -> int:
    """What a program does with the official SDK's raw frames to get at the text."""
    import json

    count = 0
    for event in stream:  # type: ignore[attr-defined]  # either SDK's stream
        payload = json.loads(event["data"])
        payload.get("token")
        count += 1
    return count


def upload_growth(port: str, size: int = 1 << 30) -> float:
    """MiB by which resident memory grows at its highest while a bundle of that size is checked and goes out."""
    import io
    import resource
    import tarfile
    import tempfile
    from pathlib import Path

    from muxi import ServerClient

    with tempfile.TemporaryDirectory() as folder:
        bundle, filler = Path(folder, "bundle.tar.gz"), Path(folder, "filler")
        with filler.open("wb") as file:
            file.truncate(size)
        formation = b"id: benchmark\ndescription: a large one\nversion: 1.0.0\n"
        with tarfile.open(bundle, "w:gz", compresslevel=0) as archive:
            info = tarfile.TarInfo("benchmark/formation.afs")
            info.size = len(formation)
            archive.addfile(info, io.BytesIO(formation))
            archive.add(filler, "benchmark/filler")
        client = ServerClient(url=f"http://127.0.0.1:{port}", key_id="k", secret_key="s")  # noqa: S106
        client.list_formations()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        client.deploy_formation(bundle)
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    what, port = sys.argv[1], sys.argv[2]
    if what == "upload":
        print(upload_growth(port))
        return
    from muxi import FormationClient

    settings: dict[str, object] = {"base_url": f"http://127.0.0.1:{port}/v1", "client_key": "fmc_benchmark"}
    if len(sys.argv) > 3:
        settings["transport"] = sys.argv[3]
    client = FormationClient(**settings)  # type: ignore[arg-type]  # the same for both SDKs
    if what == "chat":
        payload = {"message": "Hello!", "stream": False}
        print(per_call(lambda: client.chat(payload, user_id="ada"), 2000))
    elif what == "memories":
        print(per_call(lambda: client.get_memories("ada"), 2000))
    elif what == "stream":
        ours = type(client).__mro__[1] is not object
        read = consume if ours else consume_official
        total = per_call(lambda: read(client.chat_stream({"message": "Hello!"}, user_id="ada")), 30, warm_up=3)
        print(total / 1002)
    elif what == "first":
        client.chat({"message": "Hello!", "stream": False}, user_id="ada")


if __name__ == "__main__":
    main()
