"""Retry safety: whether a call may be sent again after a failed attempt.

``REPEATS`` is the one table of the safety of each operation, taken from the wire; the documentation shows it.
:func:`may_repeat` decides whether; a plugin decides when.
"""

from __future__ import annotations

from typing import Any

from muxi.call import Call, Repeat
from muxi.errors import ConnectionError, MuxiError, RateLimitError, TimeoutError

__all__ = ["REPEATS", "is_gone", "is_unknown", "may_repeat", "repeat_of"]


REPEATS: dict[str, Repeat] = {
    # Unless its caller says otherwise; GET is safe.
    "request": Repeat.NEVER,
    "health": Repeat.SAFE,
    "chat": Repeat.KEYED,
    "chat_stream": Repeat.NEVER,
    "audio_chat": Repeat.NEVER,
    "audio_chat_stream": Repeat.NEVER,
    "get_sessions": Repeat.SAFE,
    "get_session": Repeat.SAFE,
    "get_session_messages": Repeat.SAFE,
    "restore_session": Repeat.NEVER,
    "get_memories": Repeat.SAFE,
    "add_memory": Repeat.NEVER,
    "delete_memory": Repeat.REMOVAL,
    "get_user_buffer": Repeat.SAFE,
    "clear_user_buffer": Repeat.SAFE,
    "clear_session_buffer": Repeat.SAFE,
    "clear_all_buffers": Repeat.SAFE,
    "get_buffer_stats": Repeat.SAFE,
    "get_requests": Repeat.SAFE,
    "get_request_status": Repeat.SAFE,
    "cancel_request": Repeat.SAFE,
    "get_status": Repeat.SAFE,
    "get_config": Repeat.SAFE,
    "get_formation_info": Repeat.SAFE,
    "get_overlord_config": Repeat.SAFE,
    "get_overlord_soul": Repeat.SAFE,
    "get_llm_settings": Repeat.SAFE,
    "get_async_config": Repeat.SAFE,
    "get_a2a_config": Repeat.SAFE,
    "get_logging_config": Repeat.SAFE,
    "get_logging_destinations": Repeat.SAFE,
    "get_agents": Repeat.SAFE,
    "get_agent": Repeat.SAFE,
    "sync_agent_knowledge": Repeat.NEVER,
    "rebuild_knowledge": Repeat.NEVER,
    "get_skills": Repeat.SAFE,
    "get_skill": Repeat.SAFE,
    "get_agent_skills": Repeat.SAFE,
    "get_mcp_config": Repeat.SAFE,
    "get_mcp_servers": Repeat.SAFE,
    "get_mcp_server": Repeat.SAFE,
    "get_mcp_tools": Repeat.SAFE,
    "get_secrets": Repeat.SAFE,
    "create_secret": Repeat.NEVER,
    "update_secret": Repeat.SAFE,
    "delete_secret": Repeat.REMOVAL,
    "reload_secrets": Repeat.SAFE,
    "get_tuning": Repeat.SAFE,
    "replace_tuning": Repeat.SAFE,
    "get_pending_tuning": Repeat.SAFE,
    "apply_pending_tuning": Repeat.NEVER,
    "dismiss_pending_tuning": Repeat.REMOVAL,
    "run_tuning": Repeat.NEVER,
    "get_audit_log": Repeat.SAFE,
    # The second time would remove the record of the first.
    "clear_audit_log": Repeat.NEVER,
    "get_memory_config": Repeat.SAFE,
    "get_memory_buffers": Repeat.SAFE,
    "ingest_memory": Repeat.NEVER,
    "ingest_memories": Repeat.NEVER,
    "get_ingestion_status": Repeat.SAFE,
    "ingest_distilled": Repeat.NEVER,
    "get_distilled_status": Repeat.SAFE,
    "get_memory_provenance": Repeat.SAFE,
    "get_history": Repeat.SAFE,
    "rebuild_memory": Repeat.NEVER,
    "get_rebuild_status": Repeat.SAFE,
    "forget_memory_source": Repeat.NEVER,
    "get_forget_status": Repeat.SAFE,
    "lint_memory": Repeat.NEVER,
    "backfill_memory": Repeat.NEVER,
    "get_distilleries": Repeat.SAFE,
    "register_distillery": Repeat.NEVER,
    "revoke_distillery": Repeat.SAFE,
    "get_artifacts": Repeat.SAFE,
    "get_artifact": Repeat.SAFE,
    "get_artifact_versions": Repeat.SAFE,
    "download_artifact": Repeat.SAFE,
    "get_triggers": Repeat.SAFE,
    "get_trigger": Repeat.SAFE,
    "fire_trigger": Repeat.KEYED,
    "get_sops": Repeat.SAFE,
    "get_sop": Repeat.SAFE,
    "get_scheduler_config": Repeat.SAFE,
    "get_scheduler_jobs": Repeat.SAFE,
    "get_scheduler_job": Repeat.SAFE,
    "create_scheduler_job": Repeat.KEYED,
    # A new message gives the job a new id.
    "update_scheduler_job": Repeat.NEVER,
    "delete_scheduler_job": Repeat.REMOVAL,
    # The second time does not find an active job.
    "pause_scheduler_job": Repeat.NEVER,
    "resume_scheduler_job": Repeat.NEVER,
    "resolve_user": Repeat.SAFE,
    "get_user": Repeat.SAFE,
    "get_user_identifiers_for_user": Repeat.SAFE,
    "link_user_identifier": Repeat.SAFE,
    "unlink_user_identifier": Repeat.REMOVAL,
    "get_user_channels": Repeat.SAFE,
    "update_user_channels": Repeat.SAFE,
    "send_notification": Repeat.NEVER,
    "list_credential_services": Repeat.SAFE,
    "list_credentials": Repeat.SAFE,
    "get_credential": Repeat.SAFE,
    "create_credential": Repeat.NEVER,
    "delete_credential": Repeat.REMOVAL,
    "stream_events": Repeat.SAFE,
    "stream_session": Repeat.SAFE,
    "stream_request": Repeat.SAFE,
    "stream_logs": Repeat.SAFE,
    "ping": Repeat.SAFE,
    "status": Repeat.SAFE,
    "list_formations": Repeat.SAFE,
    "get_formation": Repeat.SAFE,
    "get_formation_logs": Repeat.SAFE,
    "stream_formation_logs": Repeat.SAFE,
    "get_server_logs": Repeat.SAFE,
    "download_formation": Repeat.SAFE,
    "deploy_formation": Repeat.NEVER,
    "deploy_formation_stream": Repeat.NEVER,
    "update_formation": Repeat.NEVER,
    "update_formation_stream": Repeat.NEVER,
    "delete_formation": Repeat.REMOVAL,
    "start_formation": Repeat.NEVER,
    "start_formation_stream": Repeat.NEVER,
    "stop_formation": Repeat.NEVER,
    "restart_formation": Repeat.NEVER,
    "restart_formation_stream": Repeat.NEVER,
    "rollback_formation": Repeat.NEVER,
    "rollback_formation_stream": Repeat.NEVER,
    "cancel_update": Repeat.NEVER,
    "init_draft": Repeat.NEVER,
    "list_draft_files": Repeat.SAFE,
    "read_draft_file": Repeat.SAFE,
    "write_draft_file": Repeat.SAFE,
    "delete_draft_file": Repeat.REMOVAL,
    "discard_draft": Repeat.REMOVAL,
    "deploy_draft": Repeat.NEVER,
    "deploy_draft_stream": Repeat.NEVER,
    "dev_run": Repeat.NEVER,
    "dev_stop": Repeat.NEVER,
}


def repeat_of(call: Call[Any]) -> Repeat:
    """Return the retry safety of a call: its own, else the table's; without either, reads are safe."""
    own = call.repeat or REPEATS.get(call.operation)
    return own or (Repeat.SAFE if call.method in ("GET", "HEAD", "OPTIONS") else Repeat.NEVER)


def may_repeat(repeat: Repeat, error: MuxiError, *, keyed: bool) -> bool:
    """Return whether a call may be sent again after a failed attempt.

    Args:
        repeat: the retry safety of the operation.
        error: what the attempt ended with.
        keyed: whether the attempt carried an idempotency key.
    """
    # Besides, a proxy that is sent a wrong password counts, and locks the account in the end.
    if isinstance(error, ConnectionError) and error.permanent:
        return False
    if was_refused(error):
        return True
    if not is_unknown(error):
        return False
    return repeat in (Repeat.SAFE, Repeat.REMOVAL) or (repeat is Repeat.KEYED and keyed)


def is_gone(repeat: Repeat, error: MuxiError) -> bool:
    """Return whether a repeated removal found nothing because an earlier attempt had succeeded.

    Args:
        repeat: the retry safety of the operation.
        error: what the repetition ended with.
    """
    # A proxy that knows no such formation, or no such route, says nothing about what was to be removed.
    return (
        repeat is Repeat.REMOVAL
        and error.status_code == 404
        and error.from_platform
        and error.code not in ("FORMATION_NOT_FOUND", "DRAFT_FORMATION_NOT_FOUND")
        and error.message not in ("Endpoint not found", "Not Found")
    )


def was_refused(error: MuxiError) -> bool:
    """Return whether the request was certainly not carried out: no connection, or an answer that says so."""
    if error.answer is None:
        return isinstance(error, ConnectionError | TimeoutError) and not error.connected
    if isinstance(error, RateLimitError) or error.status_code == 401:
        return True
    if error.status_code == 503:
        # The server's proxy, for a formation that is about to be there.
        return error.retry_after is not None or "(status: starting)" in error.message
    return False


def is_unknown(error: MuxiError) -> bool:
    """Return whether it is unknown if the request was carried out."""
    if was_refused(error):
        return False
    if error.answer is None:
        return isinstance(error, ConnectionError | TimeoutError)
    if error.status_code in (408, 502, 503, 504):
        return True
    # A 500 in the platform's envelope is an answer; any other 500 comes from something in between.
    return error.status_code == 500 and not error.from_platform
