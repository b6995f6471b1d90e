"""Runs one formation; ``tests/live/lab/formations.py`` starts this in the environment of the platform's runtime.

Its only argument is a JSON file: ``folder`` of the formation, ``port``, ``model_url`` of the stub model, ``home`` in
which it may write, ``secrets``, and ``reports``, the number of an open file descriptor. It says there, as JSON lines,
when it is ready, and how each command went that it reads from its standard input. Commands do what the HTTP interface
of this version of the runtime cannot: store a user's credential, publish an event, propose a tuning text.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

SETTINGS = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))

# Nothing leaves the machine: no telemetry, no models and no word lists are fetched.
os.environ.update(
    {
        "HOME": SETTINGS["home"],
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "MUXI_SIF_MODE": "",
        "MUXI_TELEMETRY": "0",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "ONELLM_PROVIDERS__OPENAI__API_BASE": SETTINGS["model_url"],
        "ONELLM_PROVIDERS__OPENAI__MAX_RETRIES": "1",
        "OPENAI_API_KEY": "sk-stub",
        "TRANSFORMERS_OFFLINE": "1",
    }
)
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
os.chdir(SETTINGS["folder"])

# Memories in SQLite need a sqlite3 that loads extensions, which not every Python has.
import pysqlite3  # noqa: E402
import pysqlite3.dbapi2  # noqa: E402

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2


def report(**facts):
    """Write one JSON line to the program that started this one."""
    os.write(SETTINGS["reports"], json.dumps(facts).encode() + b"\n")


def write_text(path, content):
    """Write a file."""
    Path(path).write_text(content, encoding="utf-8")


async def obey(overlord, command):
    """Carry out one command."""
    if command["do"] == "store_credential":
        await overlord.credential_resolver.store_credential(
            command["user_id"], command["service"], command["credential"], credential_name=command["name"]
        )
    elif command["do"] == "publish_event":
        await overlord.observability_manager._emit_to_subscribers(command["event"])
    elif command["do"] == "propose_tuning":
        write_text(overlord.muxi_md.pending_path(), command["content"])
    else:
        raise ValueError(f"unknown command {command['do']!r}")


async def read_commands(overlord):
    """Carry out the commands of standard input, one JSON line each, and end with the program that gives them."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            await obey(overlord, json.loads(line))
        except Exception as error:  # whatever it is, the program that gave the command raises it
            report(failed=repr(error))
        else:
            report(done=True)
    os.kill(os.getpid(), signal.SIGTERM)


async def main():
    from muxi.runtime import Formation
    from muxi.runtime.services.secrets import SecretsManager

    keeper = SecretsManager(SETTINGS["folder"])
    await keeper.initialize_encryption()
    for name, value in SETTINGS["secrets"].items():
        await keeper.store_secret(name, value, overwrite=True)
    formation = Formation()
    await formation.load(SETTINGS["folder"])
    server = await formation.start_server(host="127.0.0.1", port=SETTINGS["port"], block=False)
    commands = asyncio.create_task(read_commands(formation._overlord))
    report(ready=True)
    await server._server_task
    commands.cancel()


asyncio.run(main())
