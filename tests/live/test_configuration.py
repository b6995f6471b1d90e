"""Probes of what a formation says about itself: its state, its settings, its agents, its skills, its MCP servers."""

from __future__ import annotations

import pytest

from muxi import NotFoundError, ServerError, ValidationError
from tests.live.probing import Live, probe


@probe("health", "get_status", "get_config")
def test_state(live: Live) -> None:
    assert live("health")["status"] == "healthy"
    status = live("get_status")
    assert status["formation"]["id"] == f"live-{live.kind}"
    assert (status["agents"]["count"], status["mcp_servers"]["count"]) == (2, 2)
    assert live("get_config")["formation_id"] == f"live-{live.kind}"


@probe("get_formation_info", "get_overlord_config", "get_overlord_soul", "get_llm_settings", "get_memory_config")
def test_settings_are_those_of_the_formation_file(live: Live) -> None:
    whole = live("get_formation_info")
    assert whole["id"] == f"live-{live.kind}"
    assert whole["llm"]["api_keys"]["openai"] == "${{ secrets.OPENAI_API_KEY }}"
    assert live("get_overlord_config")["response"]["stream_tokens"] is True
    assert live("get_overlord_soul")["soul"] == whole["overlord"]["soul"]
    assert live("get_llm_settings")["models"] == whole["llm"]["models"]
    database = live("get_memory_config")["persistent"]["connection_string"]
    assert database.startswith("postgresql://" if live.kind == "multi" else "sqlite:///")


@probe("get_async_config", "get_a2a_config", "get_logging_config", "get_logging_destinations", "get_scheduler_config")
def test_settings_of_the_parts(live: Live) -> None:
    assert live("get_async_config")["webhook_url"] == f"{live.lab.hooks.url}/default"
    assert live("get_a2a_config") == {}
    assert live("get_logging_config")["conversation"]["streams"][0]["format"] == "jsonl"
    assert live("get_logging_destinations")["conversation"]["count"] == 1
    assert live("get_scheduler_config")["check_interval_minutes"] == 1


@probe("get_agents", "get_agent", "get_mcp_config", "get_mcp_servers", "get_mcp_server", "get_mcp_tools")
def test_agents_and_tools(live: Live) -> None:
    agents = live("get_agents")["agents"]
    assert [agent["id"] for agent in agents] == ["assistant", "researcher"]
    assert live("get_agent", "researcher") == agents[1]
    with pytest.raises(NotFoundError):
        live("get_agent", "nobody")
    servers = live("get_mcp_servers")["servers"]
    assert [server["id"] for server in servers] == ["echo", "github"]
    assert live("get_mcp_server", "github")["auth"]["token"] == "${{ user.credentials.github }}"
    assert [server["id"] for server in live("get_mcp_config")["servers"]] == ["echo", "github"]
    assert "formation_list_agents" in {tool["name"] for tool in live("get_mcp_tools")["tools"]}


@probe("rebuild_knowledge", "sync_agent_knowledge")
def test_knowledge(live: Live) -> None:
    assert {"assistant", "researcher"} <= live("rebuild_knowledge")["agents"].keys()
    assert live("rebuild_knowledge", "assistant")["agents"].keys() == {"assistant"}
    with pytest.raises(ValidationError, match="no remote knowledge sources"):
        live("sync_agent_knowledge", "assistant")


@probe("get_skills", "get_skill", "get_agent_skills", defect="skills")
def test_skills(live: Live) -> None:
    for method, arguments in (
        ("get_skills", ()),
        ("get_skill", ("note-taking",)),
        ("get_agent_skills", ("assistant",)),
    ):
        with pytest.raises(ServerError, match="missing 2 required positional arguments") as caught:
            live(method, *arguments)
        assert (caught.value.status_code, caught.value.attempts) == (500, 1)


@probe("get_secrets", "get_secret", "set_secret", "create_secret", "update_secret", "delete_secret", "reload_secrets")
def test_secrets(live: Live) -> None:
    name = f"PROBE_{live.name}".upper().replace("-", "_")
    live("create_secret", name, "first-value-0123456789")
    masked = live("get_secret", name)["value"]
    assert masked == live("get_secrets")["secrets"][name]
    assert "first-value-0123456789" not in masked
    assert masked.endswith("6789")
    live("update_secret", name, "second-value-0123454321")
    assert live("get_secret", name)["value"].endswith("4321")
    live("set_secret", name, "third-value-01234599999")
    assert live("get_secret", name)["value"].endswith("9999")
    assert live("reload_secrets")["count"] >= 1
    live("delete_secret", name)
    with pytest.raises(NotFoundError):
        live("get_secret", name)
    live("set_secret", name, "fourth-value-0123456789")
    assert name in live("get_secrets")["secrets"]
    live("delete_secret", name)


@probe("get_audit_log", "iter_audit_log", "clear_audit_log", defect="audit log")
def test_the_audit_log_tells_of_its_clearing_alone(live: Live) -> None:
    live("set_secret", "AUDITED", "value-0123456789")
    live("delete_secret", "AUDITED")
    live("clear_audit_log")
    (entry,) = live("get_audit_log")["entries"]
    assert entry["action"] == "audit.cleared"
    assert live.collect("iter_audit_log") == [entry]
    assert live("get_audit_log", action="no.such.action")["entries"] == []


@probe(
    "get_tuning", "replace_tuning", "get_pending_tuning", "apply_pending_tuning", "dismiss_pending_tuning", "run_tuning"
)
def test_tuning(live: Live) -> None:
    live("replace_tuning", f"# Tuning\n- {live.name}\n")
    assert live("get_tuning")["content"] == f"# Tuning\n- {live.name}"
    with pytest.raises(NotFoundError):
        live("apply_pending_tuning")
    live.formation.command("propose_tuning", content="# Tuning\n- proposed")
    assert live("get_pending_tuning")["content"] == "# Tuning\n- proposed"
    live("apply_pending_tuning")
    assert live("get_tuning")["content"] == "# Tuning\n- proposed"
    assert live("get_pending_tuning")["content"] is None
    live.formation.command("propose_tuning", content="# Tuning\n- again")
    live("dismiss_pending_tuning")
    assert live("get_pending_tuning")["content"] is None
    live("replace_tuning", "")
    assert live("get_tuning")["content"] is None
    assert live("run_tuning")["duration_ms"] >= 0
