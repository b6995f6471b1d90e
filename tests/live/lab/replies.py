"""What the stub model replies: a pure function of a completion request.

The runtime asks a model many things in one turn: whether a message is clear, safe, complex, which tools to use, and in
the end for the answer. Each kind of question is known by its words, and gets the reply that lets the turn go on.

Marks in a user's message change the turn:

==================  ==========================================================================================
``[[words:N]]``     the answer is the words ``w1`` to ``wN``
``[[slow:S]]``      the answer takes S seconds, spread over its words when it is streamed
``[[down]]``        each completion of the turn fails with status 500
``[[clarify]]``     the turn asks back; ``[[service:NAME]]`` about the user's credentials of that service
``[[complex]]``     the turn is made a workflow, which may go on in the background
``[[threat]]``      the turn is blocked as an attack
``[[unicode]]``     the answer holds text outside ASCII
``[[lines]]``       the answer holds line ends of every kind, and lines that look like those of an event stream
``[[cut]]``         a streamed completion breaks off after three pieces
``[[file:TEXT]]``   the turn makes the file ``report.txt`` with that text
``[[recipe]]``      the answer is a recipe as JSON
==================  ==========================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AWKWARD_LINES",
    "RECIPE",
    "UNICODE",
    "all_text",
    "bare_message",
    "find_mark",
    "is_step",
    "last_user_text",
    "reply_to",
]

UNICODE = "Grüße — 東京 🚀 naïve"
RECIPE = '{"name": "soup", "steps": ["boil", "serve"]}'
AWKWARD_LINES = "a\rb\nc\r\nd\u2028e\n: colon line\n\nevent: done\ndata: x"

#: Longest part of a message that an answer repeats.
_ECHOED = 80

Messages = Sequence[Mapping[str, Any]]


def reply_to(body: Mapping[str, Any]) -> str:
    """Return the text that completes the messages of a request."""
    messages: Messages = body.get("messages") or []
    text, last = all_text(messages), last_user_text(messages)
    lower = text.lower()
    if "determine if clarification is needed" in lower:
        return _judge_clarity(text)
    if "\nAgent response:" in last:  # the overlord rewrites an agent's answer: keep it
        return last.split("\nAgent response:", 1)[1].strip()
    if "enhances user messages for clarity" in text:
        said = re.search(r'The user said: "(.*?)"\n', last, re.DOTALL)
        return said[1] if said else last[:200]
    if "do we have enough to proceed" in lower:
        return json.dumps({"needs_more": False, "question": None})
    if "is_security_threat" in lower and "complexity_score" in lower:
        return _judge_request(text)
    if "reply with only:" in lower and "actionable" in lower:
        return "ACTIONABLE"
    if "my_steps" in lower and "can_i_do_this" in lower:
        return _plan(text)
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(_fill((wanted.get("json_schema") or {}).get("schema") or {}))
    if wanted.get("type") == "json_object" or re.search(r"(return|respond|reply|output)[^.\n]{0,60}json", lower):
        if "list" in lower[-400:] and "[" in lower[-400:]:
            return "[]"
        return json.dumps({"facts": [], "entities": [], "relationships": [], "items": [], "result": "stub"})
    return _answer(last)


def is_step(reply: str) -> bool:
    """True if a reply is a step of the runtime's own work, not the answer to the user."""
    return (reply.startswith(("{", "[")) and reply != RECIPE) or reply == "ACTIONABLE"


def all_text(messages: Messages) -> str:
    """Return the text of all messages of a request."""
    return "\n".join(_text(message) for message in messages)


def find_mark(text: str, name: str) -> str | None:
    """Return the argument of the last mark of that name, empty if it has none; None if there is no such mark."""
    found = re.findall(rf"\[\[{name}(?::([^\]]*))?\]\]", text)
    return found[-1] if found else None


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def last_user_text(messages: Messages) -> str:
    said = [message for message in messages if message.get("role") == "user"] or list(messages)
    return _text(said[-1]) if said else ""


def _judge_clarity(text: str) -> str:
    request = text.split("=== CONVERSATION TRANSCRIPT ===")[-1].split("=== AVAILABLE CONTEXT ===")[0]
    unclear = find_mark(request.split("=== CURRENT REQUEST ===")[-1], "clarify") is not None
    return json.dumps(
        {
            "needs_clarification": unclear,
            "confidence": 0.95,
            "mode": "direct",
            "reason": "ambiguous" if unclear else "clear",
            "question": "Which region do you mean?" if unclear else None,
            "mcp_service": find_mark(request, "service") if unclear else None,
        }
    )


def _judge_request(text: str) -> str:
    said = re.search(r'User Request: "(.*?)"', text, re.DOTALL)
    request = said[1] if said else ""
    threat = find_mark(request, "threat") is not None
    return json.dumps(
        {
            "is_security_threat": threat,
            "threat_type": "jailbreak" if threat else None,
            "complexity_score": 1 if find_mark(request, "complex") is None else 9,
            "implicit_subtasks": ["answer"],
            "required_capabilities": ["general"],
            "acceptance_criteria": ["answered"],
            "confidence_score": 0.9,
            "is_scheduling_request": False,
            "is_scheduler_query_request": False,
            "is_explicit_approval_request": False,
            "explicit_sop_request": None,
            "topics": ["stub"],
            "reasoning": "stub",
        }
    )


def _plan(text: str) -> str:
    content = find_mark(text, "file")
    if content is None:
        return json.dumps({"steps": [], "my_steps": [], "delegate_steps": []})
    step = {"action": "create the file", "tool_name": "generate_file", "output_placeholder": "{{FILE}}"}
    code = f"with open('report.txt', 'w') as file:\n    file.write({content!r})\n"
    known = {"step_number": 1, "capability_needed": "files", "can_i_do_this": True, "data_needed": "none"}
    return json.dumps(
        {
            "steps": [{**step, **known}],
            "my_steps": [{**step, "parameters": {"code": code, "filename": "report.txt"}}],
            "delegate_steps": [],
        }
    )


def _answer(last: str) -> str:
    request = bare_message(last)
    if count := find_mark(request, "words"):
        return " ".join(f"w{number}" for number in range(1, int(count) + 1))
    for mark, answer in (("recipe", RECIPE), ("unicode", UNICODE), ("lines", AWKWARD_LINES)):
        if find_mark(request, mark) is not None:
            return answer
    return f"Stub reply to: {' '.join(request.split())[:_ECHOED]}"


def bare_message(text: str) -> str:
    """Return what the user said, without what the runtime puts around it."""
    if "=== CURRENT REQUEST ===" in text:
        said = text.split("=== CURRENT REQUEST ===")[-1].strip()
        return re.sub(r"^User:\s*", "", said).strip()
    quoted = re.search(r'(?:User Request|Message|User message|Original message): "?(.*?)"?\s*$', text, re.MULTILINE)
    return quoted[1] if quoted else text.strip()


def _fill(schema: Mapping[str, Any]) -> Any:  # Any: whatever JSON the schema describes
    """Return the plainest value that fits a JSON schema."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if "enum" in schema:
        return next((value for value in schema["enum"] if value is not None), None)
    if "anyOf" in schema:
        return _fill(schema["anyOf"][0])
    if kind == "object" or "properties" in schema:
        return {name: _fill(part) for name, part in schema.get("properties", {}).items()}
    plain: dict[Any, Any] = {"array": [], "boolean": False, "integer": 1, "number": 0.5, "null": None}
    return plain.get(kind, "stub")
