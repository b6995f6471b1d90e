"""Users: their names, how they are reached, the credentials they have given."""

from __future__ import annotations

from muxi_transports.memory import Defect, EmbeddedFormation
from tests.memory.conformance.replay import Prepare, Setup, nothing

BOB = "z40uRHZOm7Izva9wD8OgL"


def known(*names: tuple[str, str | None]) -> Prepare:
    """Bob goes by these names."""

    def prepare(formation: EmbeddedFormation) -> None:
        user = formation.state.users.make()
        user.muxi_id = BOB
        for name, kind in names:
            formation.state.users.name(user, name, kind)

    return prepare


def given(user: str, *credentials: tuple[str, str]) -> Prepare:
    """A user has given these credentials for a service, by their ids and names."""

    def prepare(formation: EmbeddedFormation) -> None:
        for credential_id, name in credentials:
            formation.state.credentials.add(user, "github", name, {"token": "t"}).id = credential_id

    return prepare


def not_proactive(formation: EmbeddedFormation) -> None:
    """The formation reaches nobody."""
    formation.definition.proactive = None


def has_telegram(formation: EmbeddedFormation) -> None:
    """Bob can be reached."""
    formation.state.channels.change("bob").channels["telegram"] = {"chat_id": "1"}


BOB_ALONE = known(("bob@example.com", None))
BOB_LINKED = known(("bob@example.com", None), ("U123", None), ("tg_55", "telegram"), ("bob2@example.com", None))
UMA = given("uma", ("q2cn1gILzaaclKZVVP6sq", "work"), ("30j0gC95fapyb5REe6rK5", "home"))
UNA = given("una", ("uXzCqU46iBLzndInqvrCH", "solo"))
CANNOT_STORE = Setup(nothing, frozenset({Defect.CREDENTIALS_CANNOT_BE_STORED}))

ANSWERS: dict[str, Prepare | Setup] = {
    "chan_noproactive": not_proactive,
    "chan_put": nothing,
    "chan_put_badchan": nothing,
    "chan_put_badtz": nothing,
    "chan_put_clear": has_telegram,
    "chan_put_noproactive": not_proactive,
    "cred2_del": Setup(UMA, frozenset({Defect.TWO_CREDENTIALS_CANNOT_BE_DELETED})),
    "cred2_get": UMA,
    "cred2_get_admin": UMA,
    "cred2_get_other": UMA,
    "cred2_list": UMA,
    "cred2_list_after": UMA,
    "cred3_del": UNA,
    "cred3_del_again": nothing,
    "cred3_list": UNA,
    "cred_create": CANNOT_STORE,
    "cred_create_2": CANNOT_STORE,
    "cred_create_dup": CANNOT_STORE,
    "cred_create_noname": CANNOT_STORE,
    "cred_create_space": nothing,
    "cred_del": nothing,
    "cred_del_again": nothing,
    "cred_get": nothing,
    "cred_get_404": nothing,
    "cred_get_other": nothing,
    "cred_list": nothing,
    "cred_list_admin": nothing,
    "cred_list_after": nothing,
    "lite_cred_list": nothing,
    "lite_lookup": known(("bob", None)),
    "lite_resolve": nothing,
    "notif": nothing,
    "notif_422": nothing,
    "notif_chan": nothing,
    "notif_empty": nothing,
    "path_q": nothing,
    "user_ids": BOB_ALONE,
    "user_ids2": BOB_LINKED,
    "user_ids_404": nothing,
    "user_ids_by_external": BOB_ALONE,
    "user_link_422": nothing,
    "user_link_new": Setup(nothing, frozenset({Defect.LINKING_NEEDS_A_USER})),
    "user_lookup": BOB_ALONE,
    "user_resolve_again": BOB_ALONE,
    "user_resolve_createflag": nothing,
    "user_resolve_missing": nothing,
    "user_unlink": BOB_LINKED,
}

LEFT = {
    "lite_link_new": "the same defect as in user_link_new, in the words of another database",
}
