"""Triggers: their templates, and what becomes of an event."""

from __future__ import annotations

from muxi_transports.memory import Defect, EmbeddedFormation
from tests.memory.conformance.replay import Prepare, Setup, ask, both, nothing
from tests.memory.conformance.setups_requests import tracked

HELLO = {"name": "Bo", "place": {"city": "Rome"}}


def triggers(formation: EmbeddedFormation) -> None:
    formation.trigger("hello", "Say hello to ${{ data.name }} from ${{ data.place.city }}.\n")
    hook = "---\nwebhook: http://127.0.0.1:8098/ok/trigger\n---\n"
    formation.trigger("hooked", hook + "Event ${{ data.kind }} happened. ${{ data.note }}\n")
    formation.trigger("plain", "Nothing is needed.\n")


def more(formation: EmbeddedFormation) -> None:
    triggers(formation)
    for name in ("alwaysfail", "flaky", "badmodel"):
        formation.trigger(name, f"---\nwebhook: http://127.0.0.1:8098/{name}\n---\n{name} ${{{{ data.x }}}}\n")
    formation.trigger("badfront", "---\nbad: [yaml\n---\nx\n")


def fired(formation: EmbeddedFormation) -> None:
    """The same event came before, with the same key."""
    triggers(formation)
    body = {"data": HELLO, "use_async": True}
    ask(formation, "POST", "/v1/triggers/hello", body, user="ida", headers=[("X-Muxi-Idempotency-Key", "key-T")])


def ended(user: str, request_id: str) -> Prepare:
    return tracked(user, request_id, "completed", "Stub reply")


NEVER_RUN = frozenset({Defect.ASYNC_TRIGGERS_WITHOUT_WEBHOOK_NEVER_RUN})

ANSWERS: dict[str, Prepare | Setup] = {
    "hk_alwaysfail": more,
    "hk_badfront": more,
    "hk_badmodel": more,
    "hk_flaky": more,
    "hk_hooked": more,
    "hk_poll_alwaysfail": ended("hooky", "req_s86_BK1boTK9ZGcQycJRS"),
    "hk_poll_badmodel": ended("hooky", "req_ZlpsORxajE0KTPpFRZF3S"),
    "hk_poll_flaky": ended("hooky", "req_URVNmkx5LPxAJWuDIstwS"),
    "hk_poll_hooked": ended("hooky", "req_Cu05bhWEjHkACKS6LmHlN"),
    "idem_trig1": triggers,
    "idem_trig2": fired,
    "idem_trig3": fired,
    "idem_trig4": fired,
    "lite_trig_async": Setup(triggers, formation_id="wire-lab-lite"),
    "lite_trig_async_key": Setup(triggers, formation_id="wire-lab-lite"),
    "lite_trig_key_poll": ended("alice", "req_tv9eq31Ec9E6dBsLFBK1h"),
    "lite_trig_poll": ended("alice", "req_f0VOgFjp070MJe9DyponU"),
    "trig_404": nothing,
    "trig_async_default": triggers,
    "trig_async_poll1": Setup(both(triggers, tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB")), NEVER_RUN),
    "trig_async_poll_other": tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB"),
    "trig_bare_data": triggers,
    "trig_get": triggers,
    "trig_get_404": triggers,
    "trig_get_bad": triggers,
    "trig_get_bad2": triggers,
    "trig_get_nofields": triggers,
    "trig_hooked_async": triggers,
    "trig_hooked_fail": triggers,
    "trig_hooked_poll": ended("alice", "req_yMnHP0vvA40r4JNH7aOxE"),
    "trig_list": triggers,
    "trig_list_data": triggers,
    "trig_missing_data": triggers,
    "trig_no_data": triggers,
    "trig_qparam_async": triggers,
    "trig_sync": triggers,
}
