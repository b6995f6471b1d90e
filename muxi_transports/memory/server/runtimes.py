"""The versions of the runtime that a server can run, and the one that a formation gets."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["RuntimeRefusal", "check_runtime", "resolve_runtime"]

_VARIANTS = {"cuda", "lean", "pytorch"}


class RuntimeRefusal(Exception):
    """There is no such runtime.

    Args:
        code: ``ResolveError``, or ``DownloadError``.
        message: the text for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def check_runtime(runtime: str) -> str | None:
    """Check a ``muxi_runtime``. Returns the error, or None."""
    version, colon, variant = runtime.partition(":")
    if colon and variant not in _VARIANTS:
        allowed = ", ".join(f'"{name}"' for name in sorted(_VARIANTS))
        return f'invalid muxi_runtime variant "{variant}" in "{runtime}": allowed variants are {allowed}'
    if version != "latest" and not re.fullmatch(r"\d+(\.\d+)*", version):
        return f'invalid muxi_runtime "{runtime}": expected "latest" or dotted integers'
    return None


def resolve_runtime(runtime: str, available: Collection[str]) -> str:
    """The newest version that there is of what was asked for.

    Args:
        runtime: ``latest``, or as much of a version as matters, with or without a variant.
        available: the versions there are.

    Raises:
        RuntimeRefusal: there is none. ``latest`` and what names a whole version fail to be downloaded.
    """
    wanted, _, _ = runtime.partition(":")
    parts = wanted.split(".")
    found = [one for one in available if wanted == "latest" or one.split(".")[: len(parts)] == parts]
    if found:
        return max(found, key=lambda version: [int(part) for part in version.split(".")])
    if wanted == "latest":
        message = "failed to resolve 'latest' version: no runtime versions found"
    elif len(parts) > 2:
        message = "failed to download SIF: download failed with status 404: 404 Not Found"
    else:
        message = f"Failed to resolve runtime version: no runtime versions found matching {wanted}.x"
        raise RuntimeRefusal("ResolveError", message)
    raise RuntimeRefusal("DownloadError", f"Failed to download runtime: {message}")
