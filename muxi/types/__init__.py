"""The types of what goes over the wire, for annotations: ``from muxi.types import ChatEvent, MemoryPage``."""

from muxi.types.chat import (
    ChatEvent,
    ChatFile,
    ChatMessage,
    ChatRequest,
    ChatResult,
    MessageMetadata,
    Token,
    UiResponse,
    Widget,
)
from muxi.types.formations import (
    DeletedFormation,
    Deployment,
    Formation,
    FormationDetail,
    FormationList,
    FormationStatus,
)
from muxi.types.memory import (
    BufferCleared,
    BufferStats,
    CreatedMemory,
    DeletedMemory,
    Memory,
    MemoryContent,
    MemoryPage,
    UserBuffer,
)
from muxi.types.requests import CancelledRequest, RequestList, RequestStatus
from muxi.types.sessions import (
    RestoredSession,
    Session,
    SessionList,
    SessionMessage,
    SessionMessages,
    SessionSummary,
)
from muxi.types.status import Health, ServerHealth, ServerStatus

__all__ = [
    "BufferCleared",
    "BufferStats",
    "CancelledRequest",
    "ChatEvent",
    "ChatFile",
    "ChatMessage",
    "ChatRequest",
    "ChatResult",
    "CreatedMemory",
    "DeletedFormation",
    "DeletedMemory",
    "Deployment",
    "Formation",
    "FormationDetail",
    "FormationList",
    "FormationStatus",
    "Health",
    "Memory",
    "MemoryContent",
    "MemoryPage",
    "MessageMetadata",
    "RequestList",
    "RequestStatus",
    "RestoredSession",
    "ServerHealth",
    "ServerStatus",
    "Session",
    "SessionList",
    "SessionMessage",
    "SessionMessages",
    "SessionSummary",
    "Token",
    "UiResponse",
    "UserBuffer",
    "Widget",
]
