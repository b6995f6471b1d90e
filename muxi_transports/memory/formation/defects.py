"""The defects of the recorded runtime by name. An embedded formation has none unless it imitates them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from muxi.errors import ConfigurationError

__all__ = ["Defect", "defects"]


class Defect(str, Enum):
    """A defect of the recorded runtime.

    Every one of them was recorded, or read in the runtime's code where the page of the wire says so. A name is its
    value too, so that ``imitate={"escaped_event_frames"}`` and ``imitate={Defect.ESCAPED_EVENT_FRAMES}`` are one.
    """

    #: ``/v1/events`` ends its frames with the four characters ``\n\n`` instead of two line feeds: no parser of event
    #: streams sees an event.
    ESCAPED_EVENT_FRAMES = "escaped_event_frames"
    #: Nothing that happens reaches ``/v1/events`` and ``/v1/logs``; what the author of a test emits still does.
    SILENT_FEEDS = "silent_feeds"
    #: ``GET /v1/events/{session_id}/{request_id}`` answers 500 to everybody.
    BROKEN_REQUEST_EVENTS = "broken_request_events"
    #: ``agent_id`` of ``GET /v1/logs`` matches nothing.
    DEAF_AGENT_FILTER = "deaf_agent_filter"
    #: A chat that is not streamed answers 500 where its agent made an artifact, although the artifact is kept.
    ARTIFACTS_FAIL_CHATS = "artifacts_fail_chats"
    #: ``DELETE /v1/memory/buffers`` answers 500 after it has cleared everything.
    CLEARING_BUFFERS_FAILS = "clearing_buffers_fails"
    #: ``DELETE /v1/memory/buffer`` with the admin key and without a user clears nothing.
    ADMINS_CLEAR_NO_BUFFERS = "admins_clear_no_buffers"
    #: ``PUT /v1/scheduler/jobs/{id}`` answers 500, not 422, to a cron expression that is none.
    BAD_CRON_IS_A_CRASH = "bad_cron_is_a_crash"
    #: A scheduled job that is given a new message goes to user ``0`` where no user header says otherwise.
    UPDATED_JOBS_LOSE_THEIR_OWNER = "updated_jobs_lose_their_owner"
    #: The webhook that ends an escalation is signed with an unknown key.
    ESCALATIONS_SIGNED_WITH_UNKNOWN_KEY = "escalations_signed_with_unknown_key"
    #: The webhook of a notification is not signed.
    UNSIGNED_NOTIFICATIONS = "unsigned_notifications"
    #: The stream of a turn that is cancelled stays open on keepalives for 600 s.
    CANCELLED_STREAMS_HANG = "cancelled_streams_hang"
    #: Any user who knows the id of a memory may delete it.
    ANYBODY_DELETES_MEMORIES = "anybody_deletes_memories"
    #: An asynchronous trigger without a ``webhook:`` of its own never runs, and is given up after 600 s.
    ASYNC_TRIGGERS_WITHOUT_WEBHOOK_NEVER_RUN = "async_triggers_without_webhook_never_run"
    #: ``/v1/skills`` and what belongs to it answer 500 to everybody.
    SKILLS_FAIL = "skills_fail"
    #: ``POST /v1/credentials`` answers 500 and stores nothing.
    CREDENTIALS_CANNOT_BE_STORED = "credentials_cannot_be_stored"
    #: ``DELETE /v1/credentials/{id}`` answers 500 where the user has two credentials of that service.
    TWO_CREDENTIALS_CANNOT_BE_DELETED = "two_credentials_cannot_be_deleted"
    #: ``POST /v1/users/identifiers`` without a ``muxi_user_id`` answers 500.
    LINKING_NEEDS_A_USER = "linking_needs_a_user"
    #: ``/v1/memories`` answers 500 where it needs what only PostgreSQL gives: listing, deleting, and writing without a
    #: ``source``.
    NO_MEMORIES_WITH_SQLITE = "no_memories_with_sqlite"
    #: Content from a source is stored without classification, and no facts are extracted.
    NO_CLASSIFIER = "no_classifier"
    #: Changes of secrets and of scheduled jobs are in no audit log.
    CHANGES_ARE_NOT_AUDITED = "changes_are_not_audited"
    #: ``stats.requests`` of ``GET /v1/status`` stays 0.
    REQUESTS_ARE_NOT_COUNTED = "requests_are_not_counted"
    #: ``PUT /v1/scheduler/jobs/{id}`` without a user and without a new message answers 500 for a job that has an owner.
    OWNED_JOBS_NEED_THEIR_USER = "owned_jobs_need_their_user"
    #: The request of an asynchronous trigger is unknown (404) for half a second after the answer that names it.
    FRESH_REQUESTS_ARE_UNKNOWN = "fresh_requests_are_unknown"
    #: The request of a chat that was promised for later stays ``running`` after its webhook, and fails after 600 s.
    PROMISED_CHATS_STAY_RUNNING = "promised_chats_stay_running"


def defects(names: Iterable[Defect | str]) -> frozenset[Defect]:
    """The defects of these names.

    Raises:
        ConfigurationError: one of them is no defect; the message lists those there are.
    """
    if isinstance(names, str):
        names = (names,)
    given: object = names
    if not isinstance(given, Iterable):
        raise ConfigurationError(f"imitate= takes names of defects, got {type(given).__name__}")
    known = {defect.value: defect for defect in Defect}
    unknown = sorted({str(getattr(name, "value", name)) for name in names if name not in known})
    if unknown:
        raise ConfigurationError(
            f"no such defect to imitate: {', '.join(map(repr, unknown))}; there are {', '.join(sorted(known))}"
        )
    return frozenset(known[getattr(name, "value", name)] for name in names)
