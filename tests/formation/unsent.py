"""The recordings that no method would send, each with the reason."""

from __future__ import annotations

__all__ = ["UNSENT"]

_REASONS: dict[str, tuple[str, ...]] = {
    "without a key: the client refuses, and names the setting": (
        "no_client_key",
        "no_dual_key",
        "no_key",
    ),
    "the client key on a route for the admin key": ("sched_cfg_client",),
    "no route of the API below /v1, but a page, its description, CORS or MCP": (
        "cors_preflight",
        "docs",
        "mcp_call",
        "mcp_init_nokey",
        "mcp_init_noslash",
        "mcp_inited",
        "mcp_tools_list",
        "openapi_route",
        "root",
        "v1",
        "v1slash",
    ),
    "a path or verb that the platform does not have": (
        "art_head",
        "health_root",
        "nf_root",
        "nf_root2",
        "secret_get_key",
    ),
    "an id that no path can have: the client refuses": (
        "path_slash",
        "slash",
        "trig_get_bad",
    ),
    "with the admin key and no user, which clears nothing: the client wants a user": (
        "buffer_del_all_admin",
        "buffer_del_session_admin_nouser",
    ),
    "with a user where the route does not look for one": (
        "mem_create_body_user",
        "mem_list_userparam",
        "sched_create_bodyuser",
        "sched_list_queryuser",
    ),
    "not JSON, or no body at all, where the method always sends JSON": (
        "chat_badjson",
        "chat_emptybody",
        "chat_nojson_ct",
        "dist_badjson",
        "k_rebuild_nobody",
    ),
    "without something that the method cannot be called without": (
        "batch_missing",
        "dist_nohdr",
        "forget_422",
        "notif_422",
        "rebuild_422",
        "secret_put_422",
        "sched_create_422",
        "trig_no_data",
        "tuning_422",
        "user_resolve_missing",
    ),
    "with data that is not wrapped, where the method wraps it": ("trig_bare_data",),
    "with a query parameter that the runtime takes no notice of": (
        "idem_trig4",
        "sess_msgs_before",
        "trig_qparam_async",
    ),
    "with another confirmation than the one that clears the log": ("audit_del_yes",),
}

UNSENT = {name: reason for reason, names in _REASONS.items() for name in names}
