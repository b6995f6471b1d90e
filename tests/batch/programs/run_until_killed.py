"""A batch with a journal, whose results go into a file as they come. Arguments: URL, journal, output, calls, colour."""

import asyncio
import sys
from pathlib import Path

from muxi import FormationClient, FormationConfig, batch
from muxi.call import Call, Repeat


def calls(count):
    """Keyed calls, and every seventh one that must not run twice."""
    for number in range(count):
        if number % 7 == 6:
            path = f"/notifications/{number}"
            yield Call("POST", path, body={"message": f"message {number}"}, repeat=Repeat.NEVER, operation="notify")
        else:
            yield FormationClient.chat.call(f"message {number}", user_id="ada")


def show(result):
    """One line for a result."""
    return f"{result.position} {'ok' if result.ok else result.error.code}\n"


async def run_async(settings, output):
    """The same batch as tasks."""
    async for result in batch.run_async(*settings[0], **settings[1]):
        output.write(show(result))
        output.flush()


url, journal, target, count, colour = sys.argv[1:]
config = FormationConfig(url=url, client_key="fmc_reader1", timeout=10)
options = {"journal": journal, "concurrency": 8}
with Path(target).open("w", encoding="utf-8") as output:
    print("started", flush=True)
    if colour == "async":
        asyncio.run(run_async(((calls(int(count)), config), options), output))
    else:
        for result in batch.run(calls(int(count)), config, **options):
            output.write(show(result))
            output.flush()
print("done", flush=True)
