"""``/v1/users``: who there is, and the names each goes by."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.users import User
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, anything, listing, parse_json, record, text

__all__ = ["ROUTES"]

_VALIDATOR_PAGES = "https://errors.pydantic.dev/2.14/v"


def resolve(incoming: Incoming) -> Success:
    """Resolve an identifier to a user; an unknown one makes a user, whatever ``create_user`` says (the wire)."""
    request = incoming.request
    try:
        body = parse_json(request.body, request.headers.get("content-type") or "")
    except ApiError:
        raise ApiError(400, "INVALID_REQUEST", "Request body is not valid JSON") from None
    given = body if isinstance(body, dict) else {}
    identifier, kind = given.get("identifier"), given.get("identifier_type")
    if "identifier" not in given:
        raise _complaint("identifier", "Field required", "missing", given)
    if not isinstance(identifier, str):
        raise _complaint("identifier", "Input should be a valid string", "string_type", identifier)
    if kind is not None and not isinstance(kind, str):
        raise _complaint("identifier_type", "Input should be a valid string", "string_type", kind)
    if not identifier.strip():
        problem = f"identifier must be a non-empty string, got: str = {identifier!r}"
        raise ApiError(400, "INVALID_REQUEST", repr(ValueError(problem)))
    user = incoming.formation.state.users.resolve(identifier, kind)
    return _user_result(identifier, user)


def look_up(incoming: Incoming) -> Success:
    """Look up the user of an identifier."""
    identifier = incoming.params["identifier"]
    user = incoming.formation.state.users.find(identifier)
    if user is None:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Identifier not found: '{identifier}'")
    return _user_result(identifier, user)


def list_identifiers(incoming: Incoming) -> Success:
    """All names of a user, who is asked for by the MUXI id."""
    user = _find_user(incoming, incoming.params["user_id"])
    names = [
        {"identifier": spelt, "type": name.type, "created_at": iso(name.created_at, "Z")}
        for spelt, name in user.names.items()
    ]
    data = {
        "muxi_user_id": user.muxi_id,
        "internal_user_id": user.number,
        "identifiers": names,
        "count": len(names),
    }
    return Success("user_identifier_list", "user.identifiers.list", data)


def link(incoming: Incoming) -> Success:
    """Give a user names; without a user a new one is made. What is no name is left out (the wire)."""
    formation = incoming.formation
    muxi_id = incoming.body.text("muxi_user_id")
    if muxi_id is None and formation.imitates(Defect.LINKING_NEEDS_A_USER):
        reason = (
            "IntegrityError('(sqlalchemy.dialects.postgresql.asyncpg.NotNullViolationError) null value in column "
            '"formation_id" of relation "users" violates not-null constraint\')'
        )
        raise ApiError(500, "INTERNAL_ERROR", f"Failed to associate identifiers: {reason}")
    user = _find_user(incoming, muxi_id) if muxi_id else formation.state.users.make()
    given = incoming.body.get("identifiers")
    pairs = [_pair(item) for item in given] if isinstance(given, list) else []
    named = [formation.state.users.name(user, *pair) for pair in pairs if pair is not None]
    data = {
        "muxi_user_id": user.muxi_id,
        "identifiers": [{"identifier": spelt, "type": kind} for spelt, kind in named],
        "count": len(named),
    }
    return Success("user_identifier_list", "user.identifiers.associated", data)


def unlink(incoming: Incoming) -> Success:
    """Take a name away."""
    identifier = incoming.params["identifier"]
    removed = incoming.formation.state.users.remove(identifier)
    if removed is None:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"Identifier '{identifier}' not found")
    data = {"message": f"Identifier '{identifier}' removed successfully", "muxi_user_id": removed[0].muxi_id}
    return Success("message", "user.identifier.deleted", data)


def _user_result(identifier: str, user: User) -> Success:
    data = {"identifier": identifier, "muxi_user_id": user.muxi_id, "internal_user_id": user.number}
    return Success("user", "user.resolved", data)


def _find_user(incoming: Incoming, muxi_id: str) -> User:
    user = incoming.formation.state.users.by_muxi_id(muxi_id)
    if user is None:
        raise ApiError(404, "RESOURCE_NOT_FOUND", f"User not found: '{muxi_id}'")
    return user


def _pair(item: object) -> tuple[str, str | None] | None:
    """Name and kind: of a text, of a list of both, of an object."""
    if isinstance(item, list):
        name, kind = (item[0] if item else None), (item[1] if len(item) > 1 else None)
    elif isinstance(item, dict):
        name, kind = item.get("identifier"), item.get("type")
    else:
        name, kind = item, None
    if not isinstance(name, str) or not name.strip():
        return None
    return name, kind if isinstance(kind, str) else None


def _complaint(field: str, msg: str, kind: str, value: object) -> ApiError:
    # This one route answers with the text of its validator instead of a 422 (the wire).
    detail = f"[type={kind}, input_value={value!r}, input_type={type(value).__name__}]"
    more = f"For further information visit {_VALIDATOR_PAGES}/{kind}"
    message = f"1 validation error for ResolveRequest\n{field}\n  {msg} {detail}\n    {more}"
    return ApiError(400, "INVALID_REQUEST", message)


ROUTES = (
    FormationRoute("POST", "/v1/users/resolve", resolve, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/users/{identifier}", look_up, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute("GET", "/v1/users/identifiers/{user_id}", list_identifiers, Level.CLIENT, UserRule.OPTIONAL),
    FormationRoute(
        "POST",
        "/v1/users/identifiers",
        link,
        Level.CLIENT,
        UserRule.OPTIONAL,
        body=record(Field("muxi_user_id", text), Field("identifiers", listing(anything), required=True)),
    ),
    FormationRoute("DELETE", "/v1/users/identifiers/{identifier}", unlink, Level.CLIENT, UserRule.OPTIONAL),
)
