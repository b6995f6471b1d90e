"""Artifacts: their list, their versions and their content."""

from __future__ import annotations

from collections.abc import Callable

from muxi_transports.memory import EmbeddedFormation, NewArtifact
from tests.memory.conformance.replay import Prepare, Setup, nothing, replying

FIRST, SECOND = "8uz7Sgj0atuTslDRa2gdS", "5NstXwT8PkOJMNAomq0nA"
TEXT = "artifact body line 1\nline 2\n"


def made(formation: EmbeddedFormation) -> None:
    """A file in two versions."""
    for artifact_id, content, session in ((FIRST, TEXT, "a1"), (SECOND, f"{TEXT}v2", "a3")):
        formation.artifacts.add(
            artifact_id, "arty", "report.txt", content.encode(), content_type="text/plain", session_id=session
        )


def making(answer: str, content: str = TEXT) -> Prepare:
    words = [word + " " for word in answer.split(" ")]
    words[-1] = words[-1].strip()
    return replying(lambda turn: (NewArtifact("report.txt", content), *words))


ANSWERS: dict[str, Prepare | Setup] = {
    "art_content": made,
    "art_content_404": made,
    "art_content_badver": made,
    "art_content_other": made,
    "art_content_v1": made,
    "art_get": made,
    "art_get_404": made,
    "art_get_admin": made,
    "art_get_admin_nouser": made,
    "art_get_other": made,
    "art_head": made,
    "art_list": nothing,
    "art_list3": made,
    "art_list_lim": made,
    "art_range": made,
    "art_ver_404": made,
    "art_versions": made,
    "lite_art": nothing,
}

STREAMS: dict[str, Callable[[str], Prepare | Setup]] = {
    "art_chat_stream": making,
    "art_chat_v2": lambda answer: making(answer, f"{TEXT}v2"),
}
