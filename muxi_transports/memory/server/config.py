"""The formation file: what a server reads in it, and what it refuses."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from muxi_transports.memory.server.files import Files
from muxi_transports.memory.yaml_text import BadYaml, load_yaml

__all__ = [
    "CONFIG_FILES",
    "Config",
    "ConfigError",
    "SecretsError",
    "check_id",
    "find_config",
    "parse_config",
    "rewrite_config",
]

#: The names that the formation file may have, in the order the server looks for them.
CONFIG_FILES = ("formation.afs", "formation.yaml", "formation.yml")
DEFAULT_VERSION = "1.0.0"

_RESERVED = {"health", "ping", "rpc", "server", "admin", "metrics", "api"}
_AGENT_FILE = re.compile(r"agents/[^/]+\.(?:afs|yaml|yml)")
_SECRET = re.compile(r"\$\{\{\s*secrets\.(\w+)\s*\}\}")


class ConfigError(Exception):
    """An error in a formation file, in the server's words."""


class SecretsError(ConfigError):
    """The formation file uses unknown secrets."""


@dataclass(frozen=True)
class Config:
    """The values of a formation file.

    Args:
        path: where it is.
        id: the formation's id.
        description: what it is for.
        name: its name for people; the id where it has none.
        version: its version; empty where it has none.
        runtime: which version of the runtime it asks for.
        agents: the ids of its agents, from the file itself and from ``agents/``.
    """

    path: str
    id: str
    description: str
    name: str
    version: str = ""
    runtime: str = "latest"
    agents: tuple[str, ...] = ()

    @property
    def expected_version(self) -> str:
        """The version that a deployment must announce: ``1.0.0`` where the file has none."""
        return self.version or DEFAULT_VERSION


def find_config(files: Files) -> str:
    """The path of the formation file.

    Raises:
        ConfigError: there is none.
    """
    for name in CONFIG_FILES:
        if name in files:
            return name
    raise ConfigError(f"no formation config file found (tried: [{' '.join(CONFIG_FILES)}])")


def parse_config(files: Files, path: str) -> Config:
    """Read a formation file.

    Raises:
        ConfigError: it is no YAML, or has no id or description.
        SecretsError: it uses secrets, and the files they take are not beside it.
    """
    text = files.read(path).decode("utf-8", "replace")
    fields = _read(text)
    for name in ("id", "description"):
        if not _text(fields, name):
            article = "an" if name == "id" else "a"
            raise ConfigError(f"formation config must have {article} '{name}' field")
    if _text(fields, "id") in _RESERVED:
        raise ConfigError(f"formation ID '{_text(fields, 'id')}' is reserved")
    _check_secrets(text, files)
    return Config(
        path,
        _text(fields, "id"),
        _text(fields, "description"),
        _text(fields, "name") or _text(fields, "id"),
        _text(fields, "version"),
        _text(fields, "muxi_runtime") or "latest",
        _agents(fields, files),
    )


def rewrite_config(files: Files, path: str, server_id: str) -> bytes:
    """The formation file as the server keeps it: fields added, and with PyYAML keys sorted and comments lost."""
    text = files.read(path).decode("utf-8", "replace")
    own = {"_deployment_mode": "server", "_server_id": server_id}
    added = (text.rstrip("\n") + "".join(f"\n{name}: {value}" for name, value in own.items()) + "\n").encode()
    try:
        import yaml

        fields = load_yaml(text)
    except (ModuleNotFoundError, BadYaml):
        return added  # BadYaml: tags of its own, which the server carries along
    assert isinstance(fields, dict)  # noqa: S101  for the type checker: the file has been parsed before
    return str(yaml.safe_dump({**fields, **own}, allow_unicode=True, sort_keys=True)).encode()


def check_id(formation_id: str) -> str | None:
    """Check the id of a formation. Returns the error, or None."""
    if not 3 <= len(formation_id) <= 50:
        return "formation ID must be 3-50 characters"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", formation_id):
        return "formation ID must contain only lowercase letters, numbers, and hyphens"
    return f'formation ID "{formation_id}" is reserved' if formation_id in _RESERVED else None


def _check_secrets(text: str, files: Files) -> None:
    used = sorted(set(_SECRET.findall(text)))
    for name, kind in (("secrets.enc", "encrypted secrets are"), (".key", "encryption key is")):
        if used and name not in files:
            raise SecretsError(
                f"formation references secrets ([{' '.join(used)}]) but '{name}' file not found - {kind} required"
            )


def _agents(fields: Mapping[str, object], files: Files) -> tuple[str, ...]:
    """The ids of the agents, those of the formation file first."""
    found: dict[str, None] = {}
    listed = fields.get("agents")
    for agent in listed if isinstance(listed, list) else ():
        agent_id = agent if isinstance(agent, str) else _text(agent, "id") if isinstance(agent, Mapping) else ""
        found[agent_id] = None
    for path in files:
        if _AGENT_FILE.fullmatch(path):
            try:
                agent_id = _text(_read(files.read(path).decode("utf-8", "replace")), "id")
            except ConfigError:
                agent_id = ""
            found[agent_id or posixpath.splitext(posixpath.basename(path))[0]] = None
    return tuple(agent_id for agent_id in found if agent_id)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) and value not in ("~", "null") else ""


def _read(text: str) -> Mapping[str, object]:
    """The document, every scalar a text. Without PyYAML only what plain files need is read.

    Raises:
        ConfigError: it is no YAML, or no mapping.
    """
    try:
        document = load_yaml(text, only_texts=True)
    except ModuleNotFoundError:
        return _read_lines(text)
    except BadYaml as error:
        raise ConfigError(f"failed to parse formation config: yaml: {' '.join(str(error).split())}") from error
    if document is None or document == "":
        return {}
    if not isinstance(document, Mapping):
        raise ConfigError("failed to parse formation config: yaml: unmarshal errors: the document is no mapping")
    return document


def _read_lines(text: str) -> dict[str, str]:
    """The ``key: value`` lines at the left margin, and the first lines of texts that are indented below a key."""
    config: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?$", line):
            key, value = match[1], (match[2] or "").strip()
            config[key] = "" if re.fullmatch(r"[|>][+-]?", value) else _scalar(value)
        elif key and not config[key] and line.startswith((" ", "\t")):
            config[key] = line.strip()
    return config


def _scalar(value: str) -> str:
    if value[:1] in ("'", '"'):
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
