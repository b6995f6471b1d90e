"""The bundle of a formation: a gzipped tar with a configuration in it, read as it arrives."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Bundle", "BundleError", "check_id", "check_runtime", "read_bundle"]

_CONFIGS = ("formation.afs", "formation.yaml", "formation.yml")
_CONFIG_LIMIT = 1024 * 1024
_RESERVED = {"health", "ping", "rpc", "server", "admin", "metrics", "api"}
_VARIANTS = {"cuda", "lean", "pytorch"}


class BundleError(Exception):
    """What is wrong with a bundle, in the server's words."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been read.

    Args:
        digest: SHA-256 of its bytes, in hex; this is what the server calls a version.
        config: the top-level texts of its configuration.
    """

    digest: str
    config: dict[str, str]


class _Chunks(io.RawIOBase):
    """Chunks as a file, hashed as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than the stub; io gives a view
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self.digest.update(chunk)
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def read_bundle(chunks: Iterable[bytes]) -> Bundle:
    """Read a bundle to its end; only its configuration is kept.

    Raises:
        BundleError: it is no gzip, no tar, reaches out of its directory, or has no usable configuration.
    """
    arriving = iter(chunks)
    head = b""
    for chunk in arriving:
        head += chunk
        if len(head) >= 10:
            break
    if head[:2] != b"\x1f\x8b"[: len(head)] or len(head) < 10:
        reason = "EOF" if not head else "unexpected EOF" if b"\x1f\x8b".startswith(head[:2]) else "gzip: invalid header"
        raise BundleError(f"Failed to extract bundle: failed to create gzip reader: {reason}")
    raw = _Chunks(itertools.chain([head], arriving))
    names, files = _unpack(raw)
    while raw.read(64 * 1024):
        # What follows the end of the archive counts for the digest.
        pass
    top = names[0].split("/")[0] if names else ""
    for name in _CONFIGS:
        path = posixpath.normpath(f"{top}/{name}")
        if path in files:
            text = files[path].decode("utf-8", "replace")
            return Bundle(raw.digest.hexdigest(), _checked(text, top, files))
    listed = " ".join(_CONFIGS)
    raise BundleError(f"Failed to find formation config: no formation config file found (tried: [{listed}])")


def _unpack(raw: _Chunks) -> tuple[list[str], dict[str, bytes]]:
    """The names in the archive, and its regular files; of those only configurations have their content."""
    names: list[str] = []
    files: dict[str, bytes] = {}
    try:
        with gzip.GzipFile(fileobj=raw) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
            for member in archive:
                path = posixpath.normpath(member.name.lstrip("/"))
                if path == "." or path.split("/")[0] == "..":
                    name = member.name + "/" if member.isdir() else member.name
                    raise BundleError(f"Failed to extract bundle: invalid file path in archive: {name}")
                names.append(member.name)
                if member.isfile():
                    wanted = posixpath.basename(path) in _CONFIGS and member.size <= _CONFIG_LIMIT
                    file = archive.extractfile(member) if wanted else None
                    files[path] = file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = "unexpected EOF" if isinstance(error, EOFError) else str(error)
        raise BundleError(f"Failed to extract bundle: failed to read tar header: {reason}") from error
    return names, files


def _checked(text: str, top: str, files: dict[str, bytes]) -> dict[str, str]:
    config = _read_config(text)
    for name in ("id", "description"):
        if not config.get(name):
            raise BundleError(f"Failed to parse formation config: formation config must have a '{name}' field")
    secrets = sorted(set(re.findall(r"\$\{\{\s*secrets\.(\w+)\s*\}\}", text)))
    if secrets and posixpath.normpath(f"{top}/secrets.enc") not in files:
        raise BundleError(
            f"formation references secrets ([{' '.join(secrets)}]) but 'secrets.enc' file not found - "
            "encrypted secrets are required"
        )
    return config


def _read_config(text: str) -> dict[str, str]:
    """The ``key: value`` lines at the left margin, and the first lines of texts that are indented below a key.

    That is all of YAML that deploying needs.
    """
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


def check_id(formation_id: str) -> str | None:
    """What is wrong with the id of a formation; None where nothing is."""
    if not 3 <= len(formation_id) <= 50:
        return "formation ID must be 3-50 characters"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", formation_id):
        return "formation ID must contain only lowercase letters, numbers, and hyphens"
    return f'formation ID "{formation_id}" is reserved' if formation_id in _RESERVED else None


def check_runtime(runtime: str) -> str | None:
    """What is wrong with a ``muxi_runtime``; None where nothing is."""
    version, colon, variant = runtime.partition(":")
    if colon and variant not in _VARIANTS:
        allowed = ", ".join(f'"{name}"' for name in sorted(_VARIANTS))
        return f'invalid muxi_runtime variant "{variant}" in "{runtime}": allowed variants are {allowed}'
    if version != "latest" and not re.fullmatch(r"\d+(\.\d+)*", version):
        return f'invalid muxi_runtime "{runtime}": expected "latest" or dotted integers'
    return None
