"""Work on memories: what comes in from other systems, rebuilding, forgetting, distilleries."""

from __future__ import annotations

from collections.abc import Callable

from muxi.clock import ManualClock
from muxi_transports.memory import Defect, EmbeddedFormation
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.state.ingestion import Intake
from tests.memory.conformance.replay import Prepare, Setup, ask, nothing
from tests.memory.conformance.setups_memory import ingested, remembered

LAB, LAB_KEY = "mVqnfGDKk8QHzwOd7iIgh", "ed25519:CmXBwmP+6CMK+mLFI/Iy6NJwiHmxOR+kgF0WMtRiokY="
BATCH = {
    "event_type": "fact.extracted",
    "user_id": "mona",
    "source_id": "d-1",
    "payload": {"memory": "Mona likes tea", "collection": "preferences"},
}


def taken(source_id: str, event_id: str) -> Prepare:
    """Something has come in from the CRM."""

    def prepare(formation: EmbeddedFormation) -> None:
        formation.state.ingestion.take(Intake("b1", "crm", source_id, "mona"), event_id=event_id)

    return prepare


class Named(Ids):
    """Ids, one of which is told beforehand."""

    def __init__(self, name: str) -> None:
        super().__init__(1)
        self.name = name

    def new(self, prefix: str = "", length: int = 21) -> str:
        return self.name if prefix and self.name.startswith(prefix) else super().new(prefix, length)


def begun(job_id: str, begin: Callable[[EmbeddedFormation], object], after: float = 2) -> Prepare:
    """A job of that id has begun so many seconds ago."""

    def prepare(formation: EmbeddedFormation) -> None:
        formation.ids = Named(job_id)
        begin(formation)
        pass_time(formation, after)

    return prepare


def pass_time(formation: EmbeddedFormation, seconds: float) -> None:
    """Time passes."""
    assert isinstance(formation.clock, ManualClock)
    formation.clock.advance(seconds)


def ingest(user: str, source_id: str) -> Callable[[EmbeddedFormation], dict[str, object]]:
    body = {"content": "Mona works at Acme", "source": "crm", "source_id": source_id}
    return lambda formation: ask(formation, "POST", "/v1/memories", body, user=user)


def registered(formation: EmbeddedFormation) -> None:
    """The distillery of the recordings is known."""
    formation.state.distilleries.register("lab", LAB_KEY, "d", distillery_id=LAB)


def revoked(formation: EmbeddedFormation) -> None:
    """It is known, and was revoked."""
    registered(formation)
    ask(formation, "DELETE", f"/v1/memory/distilleries/{LAB}", admin=True)


def distilled_before(formation: EmbeddedFormation) -> None:
    """Its fact is known."""
    registered(formation)
    state = formation.state
    state.events.add(state.users.number("mona"), "mona", "fact.extracted", "distillery:lab", "d-1", {})


def distilled(formation: EmbeddedFormation) -> None:
    """Its batch has been digested."""
    registered(formation)
    state = formation.state
    event = state.events.add(
        state.users.number("mona"), "mona", "fact.extracted", "distillery:lab", "d-1", {"memory": "Mona likes tea"}
    )
    item = {"index": 0, "event_id": event.id, "event_type": event.type, "user_id": "mona", "disposition": "projected"}
    result = {
        "items": [item],
        "counts": {"projected": 1, "recorded": 0, "failed": 0},
        "pre_computed_vectors_used": False,
    }
    job_id = "dst_dYfhaHWdM2j2qcVKw5WFi"
    state.memory_jobs.start(job_id, "distilled", lambda: result, owner=LAB, facts={"batch_id": "b1"})
    pass_time(formation, 2)


def busy(formation: EmbeddedFormation) -> None:
    """Four jobs go on."""
    for number in range(4):
        ingest("busy", f"n{number}")(formation)


UNCLASSIFIED = frozenset({Defect.NO_CLASSIFIER})
ING = "ing_VxbmxYedT9RYF31Zoj1vG"
SIGNED = 1795362941.0
MONA = remembered("mona", "m-1")

ANSWERS: dict[str, Prepare | Setup] = {
    "backfill": MONA,
    "batch": ingested,
    "batch_empty": nothing,
    "batch_missing": nothing,
    "batch_toomany": nothing,
    "busy2": nothing,
    "dist_badjson": Setup(registered, start=SIGNED),
    "dist_del_404": nothing,
    "dist_dup": Setup(distilled_before, start=SIGNED),
    "dist_list": registered,
    "dist_mode": Setup(registered, start=SIGNED),
    "dist_nobatch": Setup(registered, start=SIGNED),
    "dist_noevents": Setup(registered, start=SIGNED),
    "dist_nohdr": nothing,
    "dist_ok": Setup(registered, start=1795362939.0),
    "dist_old": Setup(registered, start=SIGNED),
    "dist_reg_bad": nothing,
    "dist_revoke": registered,
    "dist_revoke_again": revoked,
    "dist_revoked": Setup(revoked, start=SIGNED),
    "dist_status_admin": distilled,
    "dist_status_nodid": distilled,
    "forget": ingested,
    "forget_422": nothing,
    "forget_job": begun(
        "forget_fSWjjzyv3CfpKG_2ACSIR",
        lambda formation: ask(formation, "POST", "/v1/memory/forget", {"user_id": "mona", "source": "crm"}, admin=True),
    ),
    "forget_job_404": nothing,
    "ing_status0": begun(ING, ingest("mona", "c-1"), after=0),
    "ing_status1": Setup(begun(ING, ingest("mona", "c-1")), UNCLASSIFIED),
    "ing_status_404": nothing,
    "ing_status_admin": Setup(begun(ING, ingest("mona", "c-1")), UNCLASSIFIED),
    "lint_all": nothing,
    "lite_batch": nothing,
    "lite_batch_status": Setup(begun("ing_9wsHp8rYpB5b2kiN_MSMH", ingest("alice", "z1")), UNCLASSIFIED),
    "lite_mem_create": Setup(nothing, frozenset({Defect.NO_MEMORIES_WITH_SQLITE})),
    "prov_event": taken("b-1", "LSgk2ybConFNkN0GVF4ox"),
    "prov_event404": nothing,
    "prov_none": nothing,
    "rebuild_422": nothing,
    "rebuild_bg": MONA,
    "rebuild_dry": MONA,
    "rebuild_job": begun(
        "rebuild_8WPnWcrYglrjxzp6YwX5i",
        lambda formation: ask(formation, "POST", "/v1/memory/rebuild", {"user_id": "mona"}, admin=True),
    ),
    "rebuild_job_404": nothing,
    "rebuild_sync": MONA,
    **dict.fromkeys(("busy4", "busy7", "busy8", "busy9", "busy11", "busy12", "busy14", "busy15"), busy),
}
