"""Formation files: YAML, and the folders beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from muxi.errors import ConfigurationError, MissingExtraError
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.formation.definition.formation import FormationDefinition
from muxi_transports.memory.formation.definition.parts import (
    AgentDefinition,
    KnowledgeSource,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
)
from muxi_transports.memory.yaml_text import BadYaml, load_yaml

__all__ = ["read_formation"]

P = TypeVar("P")

_NAMES = ("formation.afs", "formation.yaml", "formation.yml")
_SUFFIXES = (".afs", ".yaml", ".yml")
#: The blocks that are taken as they are; `async` is a word of the language.
_BLOCKS: Final = {
    "overlord": "overlord",
    "llm": "llm",
    "memory": "memory",
    "async": "async_",
    "scheduler": "scheduler",
    "a2a": "a2a",
    "logging": "logging",
    "proactive": "proactive",
}
#: Keys that are read one by one, and keys that have no effect here.
_ELSEWHERE = {"schema", "id", "formation_id", "name", "description", "version", "agents", "skills", "mcp", "server"}


@check_arguments()
def read_formation(path: str | os.PathLike[str]) -> FormationDefinition:
    """Read a formation file and the folders beside it.

    The folders are ``agents``, ``mcp``, ``skills``, ``sops`` and ``triggers``; ``MUXI.md`` is read too.
    Secrets are not: set ``definition.secrets``.

    Args:
        path: ``formation.yaml`` (or ``.afs``, ``.yml``), or its folder.

    Raises:
        ConfigurationError: there is no such file, a value is invalid (the message names the value and the file), or
            PyYAML is missing (``pip install 'muxi-client[test]'``).
    """
    file = _file(Path(path))
    folder = file.parent
    document = _mapping(_yaml(file), file.name)
    unknown = {
        name: value
        for name, value in document.items()
        if name not in _ELSEWHERE | _BLOCKS.keys() | {"user_credentials"}
    }
    mcp = _mapping(document.get("mcp") or {}, f"{file.name}: mcp")
    servers = mcp.pop("servers", None)
    definition = FormationDefinition(
        id=_text(document, "id", file.name),
        name=_text(document, "name", file.name),
        description=_text(document, "description", file.name),
        version=_text(document, "version", file.name),
        agents=list(_parts(_agent, document.get("agents"), folder / "agents", f"{file.name}: agents")),
        skills=list(_skills(document.get("skills"), folder / "skills", file.name)),
        sops=list(_sops(folder / "sops")),
        mcp_servers=list(_parts(_server, servers, folder / "mcp", f"{file.name}: mcp.servers")),
        triggers={path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "triggers").glob("*.md"))},
        tuning=_content(folder / "MUXI.md"),
        mcp=mcp,
        other=unknown,
    )
    for name, field in _BLOCKS.items():
        given = document.get(name)
        block = _mapping(given, f"{file.name}: {name}") if given is not None else {}
        setattr(definition, field, None if name == "proactive" and given is None else block)
    return definition


def _file(path: Path) -> Path:
    try:
        return _find_file(path)
    except OSError as error:  # before Python 3.14 a name that is too long is no "no"
        raise ConfigurationError(f"path= cannot be read: {error.strerror}") from None


def _find_file(path: Path) -> Path:
    if path.is_dir():
        found = [path / name for name in _NAMES if (path / name).is_file()]
        if not found:
            raise ConfigurationError(f"{path} has no formation file (tried: {', '.join(_NAMES)})")
        return found[0]
    if not path.is_file():
        raise ConfigurationError(f"there is no formation file {path}")
    return path


def _yaml(file: Path) -> object:
    try:
        return load_yaml(file.read_text(encoding="utf-8"))
    except ImportError:
        raise MissingExtraError("formation files need PyYAML: pip install 'muxi-client[test]'") from None
    except (BadYaml, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is no YAML: {error}") from None


def _parts(make: Callable[[dict[str, object], str], P], listed: object, folder: Path, where: str) -> Iterator[P]:
    """The parts that are listed, written out or by the name of their file; without a list, all that have a file."""
    files = (
        {file.stem: file for file in sorted(folder.iterdir()) if file.suffix in _SUFFIXES} if folder.is_dir() else {}
    )
    if listed is None:
        listed = list(files)
    if not isinstance(listed, list):
        raise ConfigurationError(f"{where} is not a list")
    for index, item in enumerate(listed):
        if isinstance(item, str):
            if item not in files:
                raise ConfigurationError(f"{where}[{index}]: there is no file {folder.name}/{item}.yaml")
            yield make(_mapping(_yaml(files[item]), files[item].name), files[item].name)
        else:
            yield make(_mapping(item, f"{where}[{index}]"), f"{where}[{index}]")


def _agent(given: dict[str, object], where: str) -> AgentDefinition:
    knowledge = given.get("knowledge")
    sources = knowledge.get("sources") if isinstance(knowledge, dict) else knowledge
    return AgentDefinition(
        id=_required_text(given, "id", where),
        name=_text(given, "name", where) or "",
        description=_text(given, "description", where) or "",
        system_message=_text(given, "system_message", where) or "",
        knowledge=tuple(
            _source(_mapping(source, f"{where}: knowledge"), index)
            for index, source in enumerate(sources if isinstance(sources, list) else ())
        ),
    )


def _source(given: dict[str, object], index: int) -> KnowledgeSource:
    path = next((str(given[key]) for key in ("url", "path", "file", "directory") if given.get(key)), "")
    return KnowledgeSource(str(given.get("id") or path or f"source-{index}"), path)


def _server(given: dict[str, object], where: str) -> McpServerDefinition:
    args = given.get("args")
    auth = given.get("auth")
    return McpServerDefinition(
        id=_required_text(given, "id", where),
        description=_text(given, "description", where) or "",
        command=_text(given, "command", where) or "",
        args=tuple(str(item) for item in args) if isinstance(args, list) else (),
        endpoint=_text(given, "endpoint", where) or "",
        auth=_mapping(auth, f"{where}: auth") if auth else {},
    )


def _skills(listed: object, folder: Path, file: str) -> Iterator[SkillDefinition]:
    files = sorted(folder.glob("*/SKILL.md"))
    for path in files:
        head, _ = _front_matter(path)
        tools = head.get("allowed-tools")
        yield SkillDefinition(
            name=str(head.get("name") or path.parent.name),
            description=str(head.get("description") or ""),
            license=str(head["license"]) if head.get("license") else None,
            compatibility=str(head["compatibility"]) if head.get("compatibility") else None,
            allowed_tools=tuple(str(tools).split()) if tools else None,
            resources=tuple(
                str(resource.relative_to(path.parent))
                for resource in sorted(path.parent.rglob("*"))
                if resource.is_file() and resource != path
            ),
        )
    known = {path.parent.name for path in files}
    for name in listed if isinstance(listed, list) else ():
        if isinstance(name, str) and name not in known:
            # A skill may come with the platform rather than with the formation.
            yield SkillDefinition(name)


def _sops(folder: Path) -> Iterator[SopDefinition]:
    for path in sorted(folder.glob("*.md")):
        _, content = _front_matter(path)
        yield SopDefinition(path.stem, content)


def _front_matter(path: Path) -> tuple[dict[str, object], str]:
    text = path.read_text(encoding="utf-8")
    match = re.match(r"---\r?\n(.*?)\r?\n---\r?\n(.*)\Z", text, re.DOTALL)
    if match is None:
        return {}, text.strip()
    head: dict[str, object] = {}
    for line in match[1].splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t", "#")):
            head[name.strip()] = value.strip().strip("'\"")
    return head, match[2].strip()


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() or None if path.is_file() else None


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} is not a mapping")
    return {str(key): item for key, item in value.items()}


def _required_text(given: dict[str, object], name: str, where: str) -> str:
    text = _text(given, name, where)
    if not text:
        raise ConfigurationError(f"{where} has no {name!r}")
    return text


def _text(given: dict[str, object], name: str, where: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise ConfigurationError(f"{where}: {name!r} is not a text")
    return str(value)
