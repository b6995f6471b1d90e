"""A deployment is refused as ``server.md`` says, in its words; of several faults the first is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi_transports.memory import EmbeddedFormation
from tests.memory.conformance.shape import frames
from tests.server.bench import archive
from tests.server.desk import Answered, Desk, rows


class Fault(NamedTuple):
    """Something wrong with a deployment: what it changes, in the order in which the server finds it."""

    row: str
    alternative: int = 0
    headers: Mapping[str, str | None] = {}
    afs: Mapping[str, str | None] = {}
    files: Mapping[str, str | None] | bytes = {}
    settings: Mapping[str, Any] = {}


#: Of each row of the document the faults that its texts are about, in their order.
FAULTS = [
    Fault("content type", headers={"Content_Type": "text/plain"}),
    Fault("no id header", headers={"X_Formation_ID": None}),
    Fault("bad id", 0, headers={"X_Formation_ID": "ab"}),
    Fault("bad id", 1, headers={"X_Formation_ID": "Demo_two"}),
    Fault("bad id", 2, headers={"X_Formation_ID": "api"}),
    Fault("id exists", headers={"X_Formation_ID": "demo-echo"}),
    Fault("not gzip / empty", 0, files=b"PK\3\4 no gzip at all"),
    Fault("not gzip / empty", 1, files=b"\x1f\x8b"),
    Fault("not gzip / empty", 2, files=b""),
    Fault("traversal", files={"../evil": ""}),
    Fault("no config", files={"demo/formation.afs": None, "demo/notes.txt": ""}),
    Fault("bad config", 0, afs={"description": None}),
    Fault("bad config", 1, afs={"id": None}),
    Fault("bad config", 2, afs={"broken": "["}),
    Fault("secrets used", afs={"llm": "'${{ secrets.OPENAI }}'"}),
    Fault("header id differs", afs={"id": "demo-echo"}),
    Fault("version differs", headers={"X_Formation_Version": "2.0.0"}),
    Fault("ports used up", settings={"ports": 1}),
    Fault("bad muxi_runtime", 0, afs={"muxi_runtime": "latest:gpu"}),
    Fault("bad muxi_runtime", 1, afs={"muxi_runtime": "banana"}),
    Fault("unresolvable", afs={"muxi_runtime": "'7.1'"}),
    Fault("runtime not downloadable", 0, afs={"muxi_runtime": "7.1.2"}),
    Fault("runtime not downloadable", 1, settings={"runtimes": ()}),
    Fault("process died", 0, settings={"output": "config error: bad model key"}),
    Fault("process died", 1, settings={"output": None}),
]
#: Rows that no embedded server can give.
NOT_HERE = {
    "body not read in 15 s": "an upload may take as long as it likes",
    "cannot spawn": "no process is started",
}


class Refusal(NamedTuple):
    """A row of the document's table of a deployment's errors."""

    status: int
    texts: list[str]
    code: str
    stage: str


def _refusals() -> dict[str, Refusal]:
    found = {}
    stage = ""
    for when, plain, streamed in rows("Errors: status + `message` (plain)"):
        code, _, named = streamed.replace("`", "").partition(", ")
        stage = named or ("validating" if code in ("SecretsError", "IDMismatch", "ParseError") else stage)
        texts = re.findall(r"`((?:[^`\\]|\\.)+)`", f"`{plain.partition('`')[2]}`" if plain.count("`") % 2 else plain)
        status = re.match(r"\**(\d{3})", plain)
        assert status, plain
        found[when] = Refusal(int(status[1]), texts, code, stage)
    return found


REFUSALS = _refusals()


def _row(fault: Fault) -> str:
    [row] = [row for row in REFUSALS if row.startswith(fault.row)]
    return row


def test_every_refusal_of_a_deployment_is_tried() -> None:
    tried = {_row(fault) for fault in FAULTS}
    assert REFUSALS.keys() - tried == NOT_HERE.keys()
    for row in tried:
        assert sum(_row(fault) == row for fault in FAULTS) == len(REFUSALS[row].texts), row


def _deploy(desk: Desk, faults: list[Fault], **headers: str) -> Answered:
    """Deploy a bundle that has these faults."""
    sent: dict[str, str | None] = {"Content_Type": "application/gzip", "X_Formation_ID": "demo-two", **headers}
    afs: dict[str, str | None] = {"id": "demo-two", "description": "x"}
    files: dict[str, str | None] = {"demo/formation.afs": ""}
    content: bytes | None = None
    for fault in reversed(faults):  # what is found first overrides
        sent |= fault.headers
        afs |= fault.afs
        if isinstance(fault.files, bytes):
            content = fault.files
        else:
            files = {**fault.files, **files, **{name: None for name, text in fault.files.items() if text is None}}
    if files["demo/formation.afs"] is not None:
        files["demo/formation.afs"] = "".join(f"{name}: {value}\n" for name, value in afs.items() if value is not None)
    packed = archive({name: text for name, text in files.items() if text is not None}) if content is None else content
    return desk.send("POST", "/rpc/formations", packed, **{name: value for name, value in sent.items() if value})


def _desk(faults: list[Fault]) -> Desk:
    """A server that has demo-echo, and the settings of the faults."""
    settings: dict[str, Any] = {}
    for fault in reversed(faults):
        settings |= fault.settings
    starts = "output" in settings
    output = settings.pop("output", None)
    desk = Desk(**settings)
    desk.server.add(EmbeddedFormation("demo-echo", clock=desk.server.clock))
    if starts:
        desk.server.fail_starts("demo-two", output)
    return desk


def _says(message: str, refusal: Refusal, alternative: int) -> bool:
    """Whether a message is that text of the row; one that is not the first replaces the end of the first."""
    text = refusal.texts[alternative].replace("\\n", "\n").replace("8000-9000", "18200-18200")
    if text.startswith("..."):
        return message.endswith(text.removeprefix("...").strip())
    if text.endswith("..."):
        return text.removesuffix("...").strip() in message
    return message == text if alternative == 0 else message.endswith(text) or text in message


def _check_refused(answer: Answered, fault: Fault, *, streamed: bool) -> None:
    refusal = REFUSALS[_row(fault)]
    if streamed and refusal.code != "plain":
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        *before, (event, data) = frames(answer.text)
        assert {name for name, _ in before} == {"progress"}
        assert (event, data["error"], data["stage"]) == ("error", refusal.code, refusal.stage)
        assert list(data) == ["error", "message", "stage"]
    else:
        data = answer.json
        assert (answer.status, data["code"]) == (refusal.status, refusal.status)
        assert list(data) == ["error", "message", "code"]
    assert _says(data["message"], refusal, fault.alternative), data["message"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.row} {fault.alternative}")
def test_a_deployment_is_refused_in_the_words_of_the_document(fault: Fault, *, streamed: bool) -> None:
    accept: dict[str, str] = {"Accept": "text/event-stream"} if streamed else {}
    desk = _desk([fault])
    _check_refused(_deploy(desk, [fault], **accept), fault, streamed=streamed)
    assert desk.server.find("demo-two") is None
    assert desk.server.ports.allocated == 1


@given(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4, unique_by=lambda fault: fault.row), st.booleans())
def test_of_the_faults_of_a_deployment_the_first_is_given(drawn: list[Fault], streamed: bool) -> None:
    faults = sorted(drawn, key=FAULTS.index)
    accept: dict[str, str] = {"Accept": "text/event-stream"} if streamed else {}
    _check_refused(_deploy(_desk(faults), faults, **accept), faults[0], streamed=streamed)
