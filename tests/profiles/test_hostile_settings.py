"""Files of settings, trails and traces that are damaged, or were made to be: errors of ours, in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest

from muxi import ConfigurationError
from muxi.cli.commands.audit import count_calls
from muxi.plugins.chain import Chain, verify
from muxi.profiles.store import ProfileStore

pytest.importorskip("yaml")


@pytest.mark.parametrize("text", ["[" * 20_000, "{" * 20_000, "profiles:\n  a:\n" + "    - " * 3000, "- " * 10_000])
def test_settings_that_are_nested_too_deeply_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "profiles.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"profiles\.yaml.*(nested too deeply|not YAML)"):
        ProfileStore(str(tmp_path)).profiles()


def test_a_trail_whose_last_line_is_nested_without_end_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    path.write_bytes(b'{"seq": 1}\n' + b"[" * 100_000 + b"\n")
    with pytest.raises(ValueError, match="no line of an audit trail"):
        Chain(str(path)).append({"event": "started"})


@pytest.mark.parametrize("length", [0, 1, 5000, 100_000])
def test_a_trail_goes_on_behind_a_torn_line_of_any_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / "trail"
    for number in range(3):
        Chain(str(path)).append({"event": "x", "number": number, "text": "a" * length})
    with path.open("ab") as file:
        file.write(b"torn" * length)
    Chain(str(path)).append({"event": "y"})
    assert verify(path).ok
    assert verify(path).lines == (5 if length else 4)


def test_calls_are_counted_whatever_a_line_says() -> None:
    odd: list[dict[str, object]] = [
        {"seconds": "x", "attempts": [1]},
        {"seconds": float("inf"), "attempts": -1},
        {"seconds": True},
    ]
    rows = count_calls({"event": "finished", "operation": "chat", **fields} for fields in odd)
    assert rows == [{"operation": "chat", "calls": 3, "failed": 3, "attempts": 0, "seconds": 0.0, "slowest": 0.0}]
