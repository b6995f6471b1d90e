"""The expressions of the package, by module. One that is missing here fails a test."""

# ruff: noqa: E501  expressions are written as they are

from __future__ import annotations

__all__ = ["EXEMPT", "EXPRESSIONS"]

#: Expressions that are not linear on every text, and why that is no matter.
EXEMPT: dict[str, str] = {
    r"\$\{\{\s*(.*?)\s*\}\}": "the script of a development server is its author's own file",
    r"(?m)^\s*\d+[.)]\s": "the definition of an embedded formation is its author's own file",
    r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+': "its text is parsed JSON, so that every quote is closed",
}

#: Texts of expressions by module; those made of variables by their source.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "muxi.bundles.contents": ("[A-Za-z]:",),
    "muxi.bundles.fields": (
        "(?P<name>id|version)[ \\t]*:[ \\t]+(?P<quote>[\\\"']?)(?P<text>[A-Za-z0-9][A-Za-z0-9.+-]*)(?P=quote)(?:[ \\t]+#.*)?[ \\t]*",
    ),
    "muxi.bundles.identity": ("[a-z0-9][a-z0-9-]*[a-z0-9]",),
    "muxi.bundles.rules": ("'|'.join((translate(pattern.lower()) for pattern in patterns))",),
    "muxi.cli.commands.serve.script.recipes": ("\\$\\{\\{\\s*(.*?)\\s*\\}\\}",),
    "muxi.cli.commands.serve.script.replies": (
        "pattern",
        "super()._deserialize(value, attr, data)",
    ),
    "muxi.cli.json_schema": ("schema['pattern']", "pattern"),
    "muxi.cli.terminal": ("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]",),
    "muxi.client.handmade": ("[!#$%&'*+.^_`|~0-9A-Z-]+",),
    "muxi.commands": ("[a-z][a-z0-9]*(?:-[a-z0-9]+)*", "\\w+(?:\\.\\w+)*:\\w+"),
    "muxi.errors": ("[^A-Z0-9]+",),
    "muxi.exchange.download": (
        ';[ \\t]*([\\w!#$%&\\\'*+.^`|~-]+)[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))',
        "(utf-8|iso-8859-1)'[^']*'(.*)",
        "(con|prn|aux|nul|conin\\$|conout\\$|com[0-9¹²³]|lpt[0-9¹²³])(\\..*)?",
        "\\\\(.)",
    ),
    "muxi.hooks.registration": ("\\bmuxi_\\w+",),
    "muxi.operations.secrets": ("\\W+",),
    "muxi.plugins.log": ('"request"\\s*:\\s*\\{\\s*"id"\\s*:\\s*"([\\w-]+)"|"request_id"\\s*:\\s*"([\\w-]+)"',),
    "muxi.plugins.redaction": (
        "(?<![\\w.+%-])[\\w.+%-]+@[\\w-]+(?:\\.[\\w-]+)+",
        "(?<![\\w.])(?:[A-Z]{2}\\d{2}(?:[ -]?[A-Z0-9]){11,30}|[+(]?\\d(?:[ ()./-]{0,2}\\d){6,})(?!\\w)",
        "(.*_)?(ids?|timestamp)|type|role",
    ),
    "muxi.plugins.tracing.names": ("/(api|draft)/([^/]+)(/v1)\\Z",),
    "muxi.plugins.version_notice": (
        "v?(?:(?P<epoch>\\d+)!)?(?P<release>\\d+(?:\\.\\d+)*)(?:[-_.]?(?P<kind>a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<pre>\\d*))?(?P<post>-\\d+|[-_.]?(?:post|rev|r)[-_.]?\\d*)?(?P<dev>[-_.]?dev[-_.]?\\d*)?(?:\\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
        "\\D",
    ),
    "muxi.redact": (
        "api[-_]?key|auth|cookie|credential|passw|secret|signature|token",
        "\\b(fm[ac]_|muxi_[ps]k_|sk_muxi_)[A-Za-z0-9_\\-]+",
        "(signature=)[^\\s,]+",
        '[\\s\\"<>]',
        "([?&][\\w.-]{0,64}(?:api[-_]?key|credential|passw|secret|signature|token)[\\w.-]{0,64}=)[^&#\\s\\\"']+",
        "api[-_]?key|^auth$|authorization|cookie|credential|passw|passphrase|private[-_]?key|secret|signature|token",
        "%[0-9A-F]{2}",
    ),
    "muxi.rendering": (
        "&(?=#?\\w{1,32};)",
        "(\\]\\(|\\]:)(\\s*)((?:javascript|vbscript|data)\\\\?:)",
        " {0,3}(```+|~~~+)(.*)",
        "`+",
    ),
    "muxi.schemas.__init__": ("\\.\\d+(?=\\.|$)",),
    "muxi.schemas.answer": ("```(?:json)?(.*)```",),
    "muxi.streaming.feeds": ('\\n|"|\\\\.',),
    "muxi.testing.taped": ("[^\\w.-]+",),
    "muxi.transport.headers": (
        "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+",
        "[\\r\\n\\0]",
    ),
    "muxi.webhook.events": (
        "\\{'content': (?P<text>'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"), 'request_id': .*\\}",
        "\\{'request_id': '[^']*', 'status': 'processing', .*\\}",
    ),
    "muxi.webhook.signature": ("[0-9]{1,12}",),
    "muxi_transports.faulty.faults": (
        "\\r\\n\\r\\n|\\n\\n|\\r\\r",
        "(?:^|[\\r\\n])[^:\\r\\n]",
    ),
    "muxi_transports.http.attempt": (
        "Tunnel connection failed: 407|SOCKS5 authentication (?:failed|methods were)|No username/password supplied|No acceptable authentication methods|Username and password authentication failure",
    ),
    "muxi_transports.http.proxies": (
        "(\\[[^\\]]*\\]|[^:]*):(\\d+)",
        "\\[([^\\]]*)\\](/\\d+)?",
    ),
    "muxi_transports.http.wire": (
        "[^\\x21-\\x7e]",
        "[a-zA-Z][a-zA-Z0-9+.\\-]*://[^/?#]*",
        "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+",
        "[\\r\\n\\0]+[ \\t]*",
    ),
    "muxi_transports.http1.framing": (
        "[0-9]{1,18}",
        "([0-9a-fA-F]{1,16})[ \\t]*(?:;[\\t\\x20-\\x7e\\x80-\\xff]*)?",
    ),
    "muxi_transports.http1.head": (
        "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+",
        "HTTP/(1\\.[0-9]) ([0-9]{3})(?: ([\\t\\x20-\\x7e\\x80-\\xff]*))?\\r?\\n",
        "f'^({_TOKEN.pattern}):([^\\\\0\\\\r\\\\n]*)\\\\r?\\\\n'",
        "\\r?\\n[ \\t]+",
    ),
    "muxi_transports.http1.request": (
        "[!#$%&'*+\\-.^_`|~0-9A-Za-z]*",
        "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+ [\\x21-\\x7e]+",
        "[^\\0-\\x08\\n-\\x1f\\x7f]*",
    ),
    "muxi_transports.memory.formation.access": ("[^@\\s]+@[^@\\s]+\\.[^@\\s]+",),
    "muxi_transports.memory.formation.agents": ("\\s*\\S+\\s*|\\s+",),
    "muxi_transports.memory.formation.authoring": ("[A-Za-z0-9_-]+",),
    "muxi_transports.memory.formation.definition.files": ("---\\r?\\n(.*?)\\r?\\n---\\r?\\n(.*)\\Z",),
    "muxi_transports.memory.formation.definition.formation": ("\\$\\{\\{\\s*secrets\\.(\\w+)\\s*\\}\\}",),
    "muxi_transports.memory.formation.definition.parts": (
        "\\$\\{\\{\\s*user\\.credentials\\.([\\w-]+)\\s*\\}\\}",
        "(?m)^\\s*\\d+[.)]\\s",
    ),
    "muxi_transports.memory.formation.routes.skills": ("[A-Za-z0-9_-]+",),
    "muxi_transports.memory.formation.routes.triggers": ("[A-Za-z0-9_-]+",),
    "muxi_transports.memory.formation.state.jobs": (
        "\\.(\\d+)",
        "[zZ]$",
    ),
    "muxi_transports.memory.formation.state.secrets": ("\\W",),
    "muxi_transports.memory.formation.state.triggers": (
        "\\$\\{\\{\\s*data\\.([A-Za-z0-9_.-]+?)\\s*\\}\\}",
        "---\\n(.*?)\\n---\\n?(.*)",
        "[A-Za-z0-9_-]+",
    ),
    "muxi_transports.memory.formation.validation": ("\\s*[+-]?\\d+\\s*",),
    "muxi_transports.memory.server.app": ("/+",),
    "muxi_transports.memory.server.auth": ("[+-]?\\d{1,19}",),
    "muxi_transports.memory.server.config": (
        "agents/[^/]+\\.(?:afs|yaml|yml)",
        "\\$\\{\\{\\s*secrets\\.(\\w+)\\s*\\}\\}",
        "[a-z0-9][a-z0-9-]*[a-z0-9]",
        "([A-Za-z_][\\w-]*)\\s*:(?:\\s+(.*))?$",
        "[|>][+-]?",
        "(?:^|\\s)#",
    ),
    "muxi_transports.memory.server.proxy": (
        "/(api|draft|mcp)/([^/]+)(/.*)?",
        "%(?![0-9A-Fa-f]{2})",
        "[?#]",
        "/mcp(?:/|$)",
    ),
    "muxi_transports.memory.server.router": ("re.escape(path).replace('\\\\{id\\\\}', '([^/]+)')",),
    "muxi_transports.memory.server.routes.logs": ("\\+?\\d{1,18}",),
    "muxi_transports.memory.server.runtimes": ("\\d+(\\.\\d+)*",),
    "muxi_transports.memory.server.workspace": ("^/+",),
    "muxi_transports.memory.stubs.matching": ("\\{[A-Za-z_]\\w*\\}",),
    "muxi_transports.recorded.literals": ('"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"|[{}\\[\\],:]|[^\\s{}\\[\\],:"]+',),
    "muxi_transports.recorded.matching": ("req_[A-Za-z0-9_-]{8,}",),
    "muxi_transports.recorded.reading": ("_pattern",),
    "muxi_transports.recorded.scrub": (
        "(?:^|[-_])(?:ids?|names?|types?|counts?|kind|service|status|provider|at)$",
        "/secrets(?:/[^/]*)?$",
        "(?<=[?&])([^=&?\\s\\\"'<>#]+)=([^&\\s\\\"'<>#]+)",
        "\\b(Bearer\\s+)[A-Za-z0-9._~+/\\-]{8,}=*",
        "[^\\r\\n]*(?:\\r\\n|\\r|\\n)|[^\\r\\n]+",
    ),
    "muxi_transports.recorded.writing": (
        "\\S[^\\r\\t\\x85\\u2028\\u2029]*\\n[^\\r\\t\\x85\\u2028\\u2029]*\\Z",
        "[\n\r\u0085\u2028\u2029]",
        "f'(?m)^([ -]*)(base64: ){self._word}(\\\\d+)$'",
        "f'(?m){self._text_word}(\\\\d+)$'",
    ),
    "muxi_transports.routing.rule": (
        "(?:(?P<methods>[A-Za-z]+(?:,[A-Za-z]+)*)[ ]+)?(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<host>\\[[0-9A-Fa-f:.]+\\]|[^\\s/:@\\[\\]?#]*)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\\s?#]*)?",
        "'.*'.join((re.escape(part) for part in pattern.split('*')))",
    ),
}
