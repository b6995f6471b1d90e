"""Each example runs as it stands, against an in-memory world, without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"

#: What each prints, in part.
PRINTED = {
    "chat.py": ["You said: What can you do?\n", "(session "],
    "deploy.py": ["sent 100 %\nmy-bot 1.0.0 is running on port ", "it says: You said: Hello!\n"],
    "guarded.py": [
        "You said: Write to [email]\n2 answers out of the cache; the circuit is closed\n",
        "8 lines of the trail are unaltered\n",
    ],
    "in_process.py": [
        "You said: Hello, gateway!\n",
        "chat came through the gateway: True\nsessions came through the gateway: False\n",
    ],
    "memory_world.py": [
        "Let me look. Ada, this is your question number 1.\n",
        "Let me look. Ada, this is your question number 2.\n",
        "TurnFailed: ",
        "120 seconds have passed, on the world's clock\n",
    ],
    "own_plugin.py": [
        "REQUEST_NOT_FOUND\nchat_stream done: 1\nget_request_status failed: 1\nhealth done: 1\n",
    ],
    "remember.py": ["  Prefers Python\n", " is forgotten\n"],
    "stream_async.py": ["You said: What is a formation? (", "You said: What is a session? ("],
    "tracing.py": [
        " POST /v1/chat UNSET {'http.response.status_code': 200}\n",
        " invoke_agent UNSET {'muxi.stream.events': ",
        " muxi.get_request_status ERROR {}\nREQUEST_NOT_FOUND\n",
        " answer a customer UNSET {}\n",
    ],
}


def test_no_example_is_left_out() -> None:
    # Those that need more than a client, such as a web framework, are run by the tests of what they show.
    elsewhere = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    for path in EXAMPLES.glob("*.py"):
        framework = path.stem.removeprefix("webhook_")
        assert path.name in PRINTED or path.stem in elsewhere or f'"{framework}"' in elsewhere, path.name


@pytest.mark.slow  # each case starts an interpreter
@pytest.mark.parametrize("name", PRINTED)
def test_the_example_runs(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MUXI_")}
    environment |= {
        "MUXI_TRANSPORT": "memory",
        "MUXI_FORMATION_URL": "http://memory",
        "MUXI_CLIENT_KEY": "any",
        "MUXI_SERVER_URL": "http://memory",
        "MUXI_KEY_ID": "any",
        "MUXI_SECRET_KEY": "any",
    }
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for text in PRINTED[name]:
        assert text in done.stdout


def test_an_example_reports_an_error_in_one_line() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MUXI_")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "chat.py")], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("\nConfigurationError: CONFIGURATION: where is the formation? Give url= ")
