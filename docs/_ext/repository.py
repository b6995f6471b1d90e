"""Leads the links named *repository* to the repository that this checkout is a clone of.

A page links ``[repository](examples.md#the-source)``, which says how to get the source. In a clone of a repository with
a public address, the link leads there instead. The address is not written into any file: a fork links itself.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from sphinx.application import Sphinx

_LINK = re.compile(r"\[repository\]\(examples\.md#the-source\)")
#: The remotes that have a page on the web: a URL, or ``git@host:path`` of scp. Names and passwords are left out.
_REMOTE = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^@/]*@)?|[\w.-]+@)([a-z0-9.-]+\.[a-z]+)(?::\d+)?[:/]([\w./~-]+?)(?:\.git)?/?"
)


def web_address(remote: str) -> str | None:
    """Return the address of a remote's page on the web; None where it has none, such as a folder of this machine."""
    found = _REMOTE.fullmatch(remote.strip())
    return f"https://{found[1]}/{found[2]}" if found else None


def remote_of(folder: Path) -> str:
    """Return the remote that a checkout comes from; an empty text where it comes from none."""
    command = ["git", "-C", str(folder), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603  as it stands
    except OSError:  # there is no git
        return ""


def lead(text: str, address: str | None) -> str:
    """Return a page whose links named *repository* lead to an address."""
    return text if address is None else _LINK.sub(f"[repository]({address})", text)


def setup(app: Sphinx) -> dict[str, object]:
    """Listen for pages that are being read."""
    address = web_address(remote_of(Path(app.confdir).parent))

    def lead_links(app: Sphinx, docname: str, source: list[str]) -> None:
        source[0] = lead(source[0], address)

    app.connect("source-read", lead_links)
    return {"version": "1", "parallel_read_safe": True}
