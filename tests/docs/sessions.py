"""The sessions of the page about the terminal: run, and written into it.

``python -m tests.docs.sessions`` records them anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from muxi.cli import main
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Sandbox, serve

__all__ = ["PAGE", "recorded"]

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

_SESSION = re.compile(r"(?<=<!-- session -->\n```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)

#: The files that are in the folder of the sessions.
FILES = {
    "secret.txt": "muxi_sk_docs_secret\n",
    "change.diff": "-print('helo')\n+print('hello')\n",
    "my-shop/formation.afs": "schema: 1.0.0\nid: my-shop\nversion: 1.0.0\ndescription: A shop\n",
    "my-shop/.env": "KEY=x\n",
    "hook.json": '{"request_id": "req_1", "status": "completed", "timestamp": 1}',
}

#: What differs from run to run, and what stands for it on the page.
VARYING = (
    (r"(127\.0\.0\.1|localhost):[2-6]\d{4}\b", r"\1:47890"),
    (r"(pid +)\d+", r"\g<1>4711"),
    (r"[\w-]{21}(?=  Likes)", "_KIAplIYOySYmO6APGXrn"),
    (r"\d{4}-\d\d-\d\dT[\d:.]{15}", "2026-11-26T23:12:34.087935"),
    (r"(?m)(182\d\d  )\d+ *(?=0$)", r"\g<1>0       "),
    (r"signed \d+ s ago", "signed 1795734756 s ago"),
    (r"\bin \d+ ms", "in 3 ms"),
    (r"clock is \d+ s (ahead of|behind)", "clock is 0 s ahead of"),
    (r"muxi-client \S+ at \S+", "muxi-client 0.1.0 at /venv/site-packages/muxi"),
    (r"python: \S+ at \S+", "python: 3.13.1 at /venv/bin/python"),
    (r"transports: requests is used; known are .*", "transports: requests is used; known are aiohttp, requests, …"),
    (r"plugins: \d+ on every client: .*", "plugins: 6 on every client: muxi.log, muxi.retry, …"),
    (r"\S*/\.muxi/", "~/.muxi/"),
)


def recorded(page: str) -> str:
    """Return the page with all sessions run anew."""
    with _world() as url:
        return _SESSION.sub(lambda found: _session(found[1], url), page)


def _session(block: str, url: str) -> str:
    lines = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{_normal(_run(line[2:].replace('http://127.0.0.1:47890', url)))}" for line in lines)


def _run(line: str) -> str:
    """Run one line in this process; return what it prints, stderr and stdout as they come."""
    before, pipe, command = line.rpartition(" | ")
    given = ""
    if pipe:
        program, *words = shlex.split(before)
        given = Path(words[0]).read_text() if program == "cat" else " ".join(words) + "\n"
    program, *arguments = shlex.split(command)
    assert program == "muxi-client", line
    printed = io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
    redirected = (contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed))
    with mock.patch.object(sys, "stdin", stdin), redirected[0], redirected[1]:
        main(arguments)
    return printed.getvalue()


def _normal(text: str) -> str:
    for pattern, stands in VARYING:
        text = re.sub(pattern, stands, text)
    # An extra that this environment lacks is no matter of the page.
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("warning extras:"))


@contextlib.contextmanager
def _world() -> Iterator[str]:
    """Serve the formation of the page, and go to a folder with its files; yield the server's address."""
    formation = EmbeddedFormation("my-bot", client_key="fmc_docs_key_0001", admin_key="fma_docs_key_0001")
    server = EmbeddedServer(key_id="muxi_pk_docs", secret_key="muxi_sk_docs_secret")
    server.add(formation)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, serve(Sandbox(formation=formation, server=server)) as served:
        server.port = served.port
        for name, text in FILES.items():
            path = Path(folder, "work", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        settings = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
        settings |= {
            "HOME": folder, "MUXI_CLIENT_KEY": "fmc_docs_key_0001", "MUXI_ADMIN_KEY": "fma_docs_key_0001",
            "MUXI_FORMATION_ID": "my-bot",
        }  # fmt: skip
        os.chdir(Path(folder, "work"))
        try:
            with mock.patch.dict(os.environ, settings, clear=True):
                yield served.url
        finally:
            os.chdir(before)


if __name__ == "__main__":
    PAGE.write_text(recorded(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
