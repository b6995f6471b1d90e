"""The configuration of a formation as it was loaded. The formation decides which blocks it has."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = [
    "AsyncConfig",
    "ConfigSummary",
    "Counted",
    "FormationInfo",
    "LlmSettings",
    "LoggingConfig",
    "LoggingDestination",
    "LoggingDestinations",
    "OverlordConfig",
    "OverlordSoul",
]


class Counted(TypedDict, total=False):
    """A part of the configuration that has its own route, and its number of entries."""

    total: int
    resource: str


#: ``async`` is a keyword, so this type is made by a call.
ConfigSummary = TypedDict(
    "ConfigSummary",
    {
        "formation_id": str,
        "version": str,
        "description": str,
        "schema_version": str,
        "agents": Counted,
        "secrets": Counted,
        "mcp": dict[str, Any],
        "overlord": Counted,
        "llm": Counted,
        "memory": Counted,
        "async": Counted,
        "scheduler": Counted,
        "a2a": Counted,
        "logging": Counted,
    },
)


class _FormationInfoAlways(TypedDict):
    id: str


class FormationInfo(_FormationInfoAlways, total=False):
    """The whole formation file as it was loaded, including fields that are not named here."""

    schema: str
    description: str
    version: str
    llm: dict[str, Any]
    agents: list[dict[str, Any]]
    memory: dict[str, Any]
    overlord: dict[str, Any]
    mcp: dict[str, Any]
    logging: dict[str, Any]
    scheduler: dict[str, Any]
    a2a: dict[str, Any]
    proactive: dict[str, Any]


class OverlordConfig(TypedDict, total=False):
    """The overlord's settings for answers, plans and clarifications."""

    soul: str
    llm: dict[str, Any]
    caching: dict[str, Any]
    response: dict[str, Any]
    workflow: dict[str, Any]
    clarification: dict[str, Any]


class OverlordSoul(TypedDict):
    """The text that gives the overlord its character."""

    soul: str


class LlmSettings(TypedDict, total=False):
    """Models and their settings; keys are the placeholders of the formation file."""

    api_keys: dict[str, str]
    settings: dict[str, Any]
    models: list[dict[str, Any]]


class AsyncConfig(TypedDict, total=False):
    """The settings of background work: its threshold and the report of its end. Times in seconds."""

    threshold_seconds: float
    enable_estimation: bool
    webhook_url: str | None
    webhook_retries: int
    webhook_timeout: float


class LoggingConfig(TypedDict, total=False):
    """The log settings of a formation."""

    system: dict[str, Any]
    conversation: dict[str, Any]


class LoggingDestination(TypedDict, total=False):
    """A destination of conversation logs; the id is ``dest-0`` and so on where none is configured."""

    id: str
    transport: str
    level: str
    format: str
    enabled: bool
    destination: str


class LoggingDestinations(TypedDict):
    """The destinations of a formation's logs: ``conversation`` has ``destinations`` and ``count``."""

    system: dict[str, Any]
    conversation: dict[str, Any]
