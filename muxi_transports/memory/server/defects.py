"""The defects of the recorded server by name. An embedded server has none unless it imitates them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from muxi.errors import ConfigurationError

__all__ = ["ServerDefect", "server_defects"]


class ServerDefect(str, Enum):
    """A defect of the recorded server.

    A name is its value too: ``imitate={"start_fails"}`` and ``imitate={ServerDefect.START_FAILS}`` are one.
    """

    #: Starting and restarting answer 500: the configuration is looked for in the wrong directory. A restart has already
    #: stopped the process by then.
    START_FAILS = "start_fails"
    #: After a rollback the formation is ``starting`` for ever, and the proxy answers 503.
    ROLLBACK_LEAVES_STARTING = "rollback_leaves_starting"
    #: Every update of an id after its first one answers 500, also after the formation was deleted and deployed anew.
    SECOND_UPDATE_FAILS = "second_update_fails"
    #: Stopping a formation that has been updated answers 500.
    STOP_FAILS_AFTER_UPDATE = "stop_fails_after_update"
    #: An update that fails leaves its port behind, so that there seems to be an update to cancel.
    FAILED_UPDATE_KEEPS_STAGING = "failed_update_keeps_staging"
    #: A deployment that fails takes the draft of its id along.
    FAILED_DEPLOY_LOSES_DRAFT = "failed_deploy_loses_draft"
    #: A draft that has been deployed as a new formation is never different enough to be deployed again (409).
    SECOND_DRAFT_DEPLOY_IS_NO_CHANGE = "second_draft_deploy_is_no_change"
    #: A draft that is deployed during an update is refused with plain JSON under the content type of event streams.
    UNFRAMED_CONFLICT = "unframed_conflict"


def server_defects(names: Iterable[ServerDefect | str]) -> frozenset[ServerDefect]:
    """The defects of these names.

    Raises:
        ConfigurationError: one of them is no defect; the message lists those there are.
    """
    if isinstance(names, str):
        names = (names,)
    given: object = names
    if not isinstance(given, Iterable):
        raise ConfigurationError(f"imitate= takes names of defects, got {type(given).__name__}")
    known = {defect.value: defect for defect in ServerDefect}
    wanted = [str(getattr(name, "value", name)) for name in names]
    if unknown := sorted(set(wanted) - set(known)):
        raise ConfigurationError(
            f"no such defect to imitate: {', '.join(map(repr, unknown))}; there are {', '.join(sorted(known))}"
        )
    return frozenset(known[name] for name in wanted)
