"""What formations have printed, and what they consist of."""

from __future__ import annotations

import re

from muxi_transports.memory.server.answers import plain, success
from muxi_transports.memory.server.output import STREAMS
from muxi_transports.memory.server.router import ServerRoute, ServerVisit
from muxi_transports.memory.server.routes.formations import found
from muxi_transports.memory.world import Answer, begun

__all__ = ["ROUTES", "line_count"]

_LINES, _MOST_LINES = 100, 10_000


def line_count(visit: ServerVisit) -> int:
    """How many lines are asked for; what is no positive number is as good as none."""
    given = visit.value("lines")
    wanted = int(given) if re.fullmatch(r"\+?\d{1,18}", given, re.ASCII) else 0
    return min(wanted or _LINES, _MOST_LINES)


def logs(visit: ServerVisit) -> Answer:
    """The last lines of a formation, or those that it prints from now on."""
    hosted = found(visit)
    asked = visit.value("stream") or "all"
    if visit.value("follow") in ("true", "1"):
        headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("Connection", "keep-alive"),
        ]
        stream = hosted.output.follow("stderr" if asked == "stderr" else "stdout")
        return Answer(200, headers, begun(stream))
    streams = [stream for stream in STREAMS if asked in ("all", stream)]
    count = line_count(visit)
    totals = {stream: hosted.output.count(stream) if stream in streams else 0 for stream in sorted(STREAMS)}
    lines = {stream: hosted.output.tail(stream, count) for stream in streams}
    return success({"formation_id": hosted.id, "logs": lines, "total_lines": totals})


def download(visit: ServerVisit) -> Answer:
    """A formation's files as a zip."""
    hosted = found(visit)
    content = hosted.release.files.zipped(database=visit.value("db") == "true")
    answer = plain(200, content, "application/zip")
    answer.headers.append(("Content-Disposition", f'attachment; filename="{hosted.id}.zip"'))
    return answer


ROUTES = (
    ServerRoute("GET", "/rpc/formations/{id}/logs", logs),
    ServerRoute("GET", "/rpc/formations/{id}/download", download),
)
