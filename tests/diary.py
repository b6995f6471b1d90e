"""A plugin that writes down every hook."""

from __future__ import annotations

from typing import Any

from muxi import Context, Outcome, hookimpl, hookspecs
from muxi.transport import Request

#: The names of all hooks of a client; that of the command line is not one of them.
SPECS = [name for name in vars(hookspecs) if name.startswith("muxi_") and name != "muxi_register_commands"]


class Diary:
    """Writes down every hook of a call with the arguments it was given."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []

    @property
    def hooks(self) -> list[str]:
        return [name.removeprefix("muxi_") for name, _ in self.entries]

    def of(self, hook: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.entries if name == f"muxi_{hook}"]

    def _note(self, hook: str, **arguments: Any) -> None:
        self.entries.append((hook, arguments))

    @hookimpl
    def muxi_register_transports(self, registry: Any) -> None:
        self._note("muxi_register_transports", registry=registry)

    @hookimpl
    def muxi_register_schemas(self, registry: Any) -> None:
        self._note("muxi_register_schemas", registry=registry)

    @hookimpl
    def muxi_client_created(self, client: Any) -> None:
        self._note("muxi_client_created", client=client)

    @hookimpl
    def muxi_client_closed(self, client: Any) -> None:
        self._note("muxi_client_closed", client=client)

    @hookimpl
    def muxi_call_started(self, call: Any, context: Context) -> None:
        self._note("muxi_call_started", call=call, context=context)

    @hookimpl
    def muxi_call_finished(self, call: Any, outcome: Outcome, context: Context) -> None:
        self._note("muxi_call_finished", call=call, outcome=outcome, context=context)

    @hookimpl
    def muxi_prepare_request(self, request: Request, context: Context) -> None:
        self._note("muxi_prepare_request", request=request, context=context, attempt=context.attempt)

    @hookimpl
    def muxi_intercept(self, request: Request, context: Context) -> None:
        self._note("muxi_intercept", request=request, context=context)

    @hookimpl
    def muxi_response_received(self, response: Any, context: Context) -> None:
        self._note("muxi_response_received", response=response, context=context)

    @hookimpl
    def muxi_attempt_failed(self, error: Exception, context: Context) -> None:
        self._note("muxi_attempt_failed", error=error, context=context)

    @hookimpl
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> None:
        self._note("muxi_retry_delay", outcome=outcome, context=context)

    @hookimpl
    def muxi_retry_scheduled(self, delay: float, error: Any, context: Context) -> None:
        self._note("muxi_retry_scheduled", delay=delay, error=error, context=context)

    @hookimpl
    def muxi_event_received(self, event: Any, context: Context) -> None:
        self._note("muxi_event_received", event=event, context=context)
