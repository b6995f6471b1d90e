"""The bodies of requests as types, from which :mod:`muxi.schemas.shapes` compiles its tests.

A body that fits its type here also fits its marshmallow schema (a test holds that). Whatever does not fit, fields that
are not listed included, is left to the schema, which decides and explains.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from muxi.schemas.shapes import Where

__all__ = [
    "FILE_LIMIT",
    "JOB_TYPES",
    "MAX_BATCH",
    "MESSAGE_LIMIT",
    "SCOPES",
    "TUNING_LIMIT",
    "payload_type",
    "utf8_length",
]

#: The longest message, in characters. The runtime answers a longer one with an error text under HTTP 200, and
#: breaks the stream of one.
MESSAGE_LIMIT = 100_000

#: Largest file that the runtime accepts, in bytes, by its declared size.
FILE_LIMIT = 52 * 1024 * 1024

#: The largest number of items in a batch of memories.
MAX_BATCH = 100

#: The largest tuning text, in bytes of UTF-8; it is part of every turn.
TUNING_LIMIT = 32768

#: Owners that a memory can have.
SCOPES = ("user", "group", "formation")

#: Kinds of scheduled jobs.
JOB_TYPES = ("one_time", "recurring")

_Text = str | None
_Flag = bool | None
_Object = dict[str, Any]
_Scope = Annotated[str, Where(SCOPES.__contains__)]
_NotEmpty = Annotated[str, Where(bool)]


def utf8_length(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    return len(text.encode(errors="replace"))


class _File(TypedDict, total=False):
    filename: _Text
    content: _Text
    content_type: _Text
    mime_type: _Text
    size: Annotated[int, Where(range(FILE_LIMIT + 1).__contains__)]


class _AudioType(TypedDict):
    content_type: Annotated[str, Where(lambda value: value.startswith("audio/"))]


class _AudioFile(_AudioType, total=False):
    filename: _Text
    content: _Text
    size: Annotated[int, Where(range(FILE_LIMIT + 1).__contains__)]


class _UiResponse(TypedDict):
    id: str
    value: Any


class _Message(TypedDict):
    message: Annotated[str, Where(lambda value: len(value) <= MESSAGE_LIMIT)]


class _Chat(_Message, total=False):
    user_id: _Text
    agent_id: _Text
    session_id: _Text
    group_id: _Text
    request_id: _Text
    mode: _Text
    files: list[_File] | None
    stream: _Flag
    webhook_url: _Text
    source_channel: _Text
    ui_response: _UiResponse | None


class _AudioFiles(TypedDict):
    files: Annotated[list[_AudioFile], Where(bool)]


class _AudioChat(_AudioFiles, total=False):
    user_id: _Text
    agent_id: _Text
    session_id: _Text
    request_id: _Text
    stream: _Flag


class _Channels(TypedDict, total=False):
    preferred_channel: _Text
    channels: dict[str, _Object] | None
    timezone: _Text


class _Credential(TypedDict):
    service: Annotated[str, Where(lambda value: " " not in value)]
    credential: _Object


class _NamedCredential(_Credential, total=False):
    name: _Text


class _DistilledEvents(TypedDict):
    batch_id: _NotEmpty
    events: Annotated[list[_Object], Where(bool)]


class _Distilled(_DistilledEvents, total=False):
    embedding_mode: Annotated[str, Where(("none", "pre_computed").__contains__)]


class _DistilleryKey(TypedDict):
    name: str
    public_key: str


class _Distillery(_DistilleryKey, total=False):
    description: _Text
    scope: _Object | None
    trust_level: _Text


class _IdentifierList(TypedDict):
    identifiers: list[Any]


class _Identifiers(_IdentifierList, total=False):
    muxi_user_id: _Text


class _KnowledgeSource(TypedDict, total=False):
    source_id: _Text


class _AgentKnowledge(_KnowledgeSource, total=False):
    agent_id: _Text


class _MemoryContent(TypedDict):
    content: str


class _MemoryFields(TypedDict, total=False):
    type: _Text
    metadata: _Object | None
    scope_id: _Text
    source_id: _Text
    timestamp: _Text
    subject: _Text


class _Memory(_MemoryContent, _MemoryFields, total=False):
    # With scope= or detail= the fields depend on each other, which the schema checks.
    source: _Text


class _MemorySource(TypedDict):
    source: _NotEmpty


class _Ingestion(_MemoryContent, _MemorySource, _MemoryFields):
    pass


class _BatchItem(_MemoryFields, total=False):
    content: Any
    detail: _Text
    scope: _Scope | None
    source: _Text


class _Batch(TypedDict):
    items: Annotated[list[_BatchItem], Where(lambda value: 1 <= len(value) <= MAX_BATCH)]


class _OfUser(TypedDict):
    user_id: str


class _MaybeOfUser(TypedDict, total=False):
    user_id: _Text


class _Rebuild(_OfUser, total=False):
    projection: _Text
    dry_run: bool
    background: bool
    backfill: bool


class _ForgottenSource(_OfUser):
    source: str


class _Forget(_ForgottenSource, total=False):
    reason: str
    rebuild: bool
    background: bool


class _NotificationText(_OfUser):
    message: Annotated[str, Where(lambda value: bool(value.strip()))]


class _Notification(_NotificationText, total=False):
    channels: list[str] | None


class _Job(TypedDict):
    type: Annotated[str, Where(JOB_TYPES.__contains__)]
    schedule: str
    message: str


class _JobChange(TypedDict, total=False):
    message: _Text
    schedule: _Text
    title: _Text


class _SecretValue(TypedDict):
    value: str


class _Secret(_SecretValue):
    key: str


class _MessageText(TypedDict):
    role: str
    content: str
    timestamp: str


class _RestoredMessage(_MessageText, total=False):
    agent_id: _Text
    metadata: _Object | None


class _Session(TypedDict):
    messages: list[_RestoredMessage]


class _TriggerData(TypedDict):
    data: _Object


class _Trigger(_TriggerData, total=False):
    session_id: _Text
    use_async: _Flag


class _Tuning(TypedDict):
    content: Annotated[str, Where(lambda value: utf8_length(value) <= TUNING_LIMIT)]


class _Identifier(TypedDict):
    identifier: str


class _TypedIdentifier(_Identifier, total=False):
    identifier_type: _Text


#: Types by the name of the schema.
_TYPES: dict[str, type] = {
    "AudioChatRequest": _AudioChat,
    "ChannelsUpdate": _Channels,
    "ChatRequest": _Chat,
    "CredentialCreate": _NamedCredential,
    "DistilledBatch": _Distilled,
    "DistilleryRegister": _Distillery,
    "IdentifiersLink": _Identifiers,
    "KnowledgeRebuild": _AgentKnowledge,
    "KnowledgeSync": _KnowledgeSource,
    "MemoryBackfill": _OfUser,
    "MemoryBatch": _Batch,
    "MemoryCreate": _Memory,
    "MemoryForget": _Forget,
    "MemoryIngest": _Ingestion,
    "MemoryLint": _MaybeOfUser,
    "MemoryRebuild": _Rebuild,
    "NotificationRequest": _Notification,
    "SchedulerJobCreate": _Job,
    "SchedulerJobUpdate": _JobChange,
    "SecretCreate": _Secret,
    "SecretUpdate": _SecretValue,
    "SessionRestore": _Session,
    "TriggerRequest": _Trigger,
    "TuningReplace": _Tuning,
    "UserResolve": _TypedIdentifier,
}


def payload_type(schema: str) -> type | None:
    """Return the type of the bodies that a schema checks; None for a schema that is not the SDK's."""
    return _TYPES.get(schema)
