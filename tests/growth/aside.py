"""Functions that take text apart, none of which a peer can choose, by the reason."""

from __future__ import annotations

__all__ = ["ASIDE"]

_OWN_ARGUMENTS = "arguments, settings and plug-ins of the program itself"
_OWN_FOLDER = "the caller's own folder, which is read only to be sent"
_OWN_REQUEST = "a request of the program itself, on its way out"
_TYPED = "what the user of the command types, or gives it"
_OWN_PROCESS = "files and pickles of the program's own processes, and its exceptions"

#: Reasons by function, or by module with ``*``.
ASIDE: dict[str, str] = {
    "muxi.batch.work:*": _OWN_PROCESS,
    "muxi.bundles.ignoring:*": _OWN_FOLDER,
    "muxi.bundles.planning:*": _OWN_FOLDER,
    "muxi.cli.checks:check_network": _OWN_ARGUMENTS,
    "muxi.cli.checks:_check_skew": "one header, which transports bound to 64 KiB, by the parser of email.utils",
    "muxi.cli.commands.ask:*": _TYPED,
    "muxi.cli.commands.audit:tail": "prints the lines of a file as they are",
    "muxi.cli.commands.call:*": _TYPED,
    "muxi.cli.commands.demo:_messages": "the first line of the messages that the demonstration has sent itself",
    "muxi.cli.commands.profiles:_ask_secret": _TYPED,
    "muxi.cli.commands.serve.*": "the script of a development server is its author's own file",
    "muxi.cli.conversation.prompt:*": _TYPED,
    "muxi.cli.conversation.state:*": _TYPED,
    "muxi.cli.json_schema:_pattern": "the expression is the caller's own schema",
    "muxi.cli.lazy:*": _TYPED,
    "muxi.cli.operations:*": _TYPED,
    "muxi.cli.output:search": "the expression is the user's own --query",
    "muxi.cli.trace.live:*": "requests of this machine, whose lines http.server bounds to 64 KiB",
    "muxi.client.endpoints:*": _OWN_ARGUMENTS,
    "muxi.client.handmade:*": _OWN_ARGUMENTS,
    "muxi.commands:*": _OWN_ARGUMENTS,
    "muxi.config:*": _OWN_ARGUMENTS,
    "muxi.exchange.identifiers:*": _OWN_ARGUMENTS,
    "muxi.hooks.*": _OWN_ARGUMENTS,
    "muxi.installed:*": _OWN_ARGUMENTS,
    "muxi.operations.*": _OWN_ARGUMENTS,
    "muxi.plugins.redaction:Redaction.muxi_prepare_request": _OWN_REQUEST,
    "muxi.plugins.signature:SignatureAuth.__init__": _OWN_ARGUMENTS,
    "muxi.plugins.tracing.genai:_content": _OWN_REQUEST,
    "muxi.plugins.tracing.names:template_of": _OWN_ARGUMENTS,
    "muxi.plugins.tracing.names:formation_of": _OWN_ARGUMENTS,
    "muxi.plugins.version_notice:_parse_time": _OWN_PROCESS,
    "muxi.plugins.version_notice:_read": _OWN_PROCESS,
    "muxi.registry:*": _OWN_ARGUMENTS,
    "muxi.transport.arguments:*": _OWN_ARGUMENTS,
    "muxi.transport.contract:Request.path": _OWN_REQUEST,
    "muxi.transport.plaintext:*": _OWN_ARGUMENTS,
    "muxi_transports.aiohttp.socks:*": _OWN_ARGUMENTS,
    "muxi_transports.asgi.visit:http_scope": _OWN_REQUEST,
    "muxi_transports.failover.addresses:*": _OWN_ARGUMENTS,
    "muxi_transports.faulty.faults:_name_host": _OWN_ARGUMENTS,
    "muxi_transports.http.application:_describe_error": _OWN_PROCESS,
    "muxi_transports.http.proxies:*": _OWN_ARGUMENTS,
    "muxi_transports.http.unix:*": _OWN_ARGUMENTS,
    "muxi_transports.http1.request:*": _OWN_REQUEST,
    "muxi_transports.pooled.foreign:*": "headers that http.client has bounded, split once at their commas",
    "muxi_transports.recorded.cassette:*": _OWN_REQUEST,
    "muxi_transports.routing.rule:*": _OWN_ARGUMENTS,
    "muxi_transports.wsgi.environ:*": _OWN_REQUEST,
}
