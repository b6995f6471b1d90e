"""The logs of formations."""

from __future__ import annotations

import re

from muxi_transports.memory.server.answers import plain, success
from muxi_transports.memory.server.output import STREAMS
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.formations import find_hosted
from muxi_transports.memory.world import Answer, start_stream

__all__ = ["ROUTES", "line_count"]

_LINES, _MOST_LINES = 100, 10_000


def line_count(visit: ServerVisit) -> int:
    """The number of lines requested; anything but a positive number counts as none."""
    given = visit.value("lines")
    wanted = int(given) if re.fullmatch(r"\+?\d{1,18}", given, re.ASCII) else 0
    return min(wanted or _LINES, _MOST_LINES)


def logs(visit: ServerVisit) -> Answer:
    """The last lines of a formation, or those that it prints from now on."""
    hosted = find_hosted(visit)
    asked = visit.value("stream") or "all"
    if visit.value("follow") in ("true", "1"):
        headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("Connection", "keep-alive"),
        ]
        stream = hosted.output.follow("stderr" if asked == "stderr" else "stdout")
        return Answer(200, headers, start_stream(stream))
    streams = [stream for stream in STREAMS if asked in ("all", stream)]
    count = line_count(visit)
    totals = {stream: hosted.output.count(stream) if stream in streams else 0 for stream in sorted(STREAMS)}
    lines = {stream: hosted.output.tail(stream, count) for stream in streams}
    return success({"formation_id": hosted.id, "logs": lines, "total_lines": totals})


def download(visit: ServerVisit) -> Answer:
    """A formation's files as a zip."""
    hosted = find_hosted(visit)
    content = hosted.release.files.zipped(database=visit.value("db") == "true")
    answer = plain(200, content, "application/zip")
    answer.headers.append(("Content-Disposition", f'attachment; filename="{hosted.id}.zip"'))
    return answer


ROUTES = (
    ServerRoute("GET", "/rpc/formations/{id}/logs", logs),
    ServerRoute("GET", "/rpc/formations/{id}/download", download),
)
