"""Records as JSON: one object a line, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.plugins import JsonFormatter
from tests.answers import Colour, Playback, answer, failure


@pytest.fixture
def set_up() -> Iterator[Callable[..., io.StringIO]]:
    """Set up a program's logging with ``dictConfig``; what comes back is what it has logged."""
    names = ("muxi", "tests.json")
    before = [(logging.getLogger(name), logging.getLogger(name).propagate) for name in names]

    def configure(name: str, formatter: dict[str, Any]) -> io.StringIO:
        out = io.StringIO()
        handler = {"class": "logging.StreamHandler", "formatter": "json", "stream": out}
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"json": formatter},
                "handlers": {"out": handler},
                "loggers": {name: {"level": "INFO", "handlers": ["out"], "propagate": False}},
            }
        )
        return out

    yield configure
    for found, propagate in before:
        found.handlers.clear()
        found.propagate = propagate
        found.setLevel(logging.NOTSET)


def test_a_pipeline_gets_an_object_for_each_line(colour: Colour, set_up: Callable[..., io.StringIO]) -> None:
    out = set_up("muxi", {"()": "muxi.plugins.JsonFormatter", "defaults": {"service": "shop"}})
    play = Playback(failure(429, retry_after="2"), answer({}))
    colour.run(colour.formation(play).get_memories, "ada")
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [it["muxi_event"] for it in found] == ["attempt", "wait", "attempt"]
    first = found[0]
    assert first.pop("time").endswith("Z")
    assert first.pop("muxi_seconds") == 0
    assert first == {
        "level": "INFO",
        "logger": "muxi",
        "message": "get_memories (GET /memories) -> 429 in 0.000 s (attempt 1, request req_wire)",
        "service": "shop",
        "muxi_event": "attempt",
        "muxi_call": "get_memories",
        "muxi_method": "GET",
        "muxi_route": "/memories",
        "muxi_attempt": 1,
        "muxi_request_id": "req_wire",
        "muxi_status": 429,
    }


def test_dict_config_takes_it_as_a_class_too(set_up: Callable[..., io.StringIO]) -> None:
    out = set_up("tests.json", {"class": "muxi.plugins.JsonFormatter", "format": "%(message)s"})
    logging.getLogger("tests.json").warning("hello", extra={"order": 7})
    found = json.loads(out.getvalue())
    assert (found["level"], found["message"], found["order"]) == ("WARNING", "hello", 7)


def record(message: str = "hello", **more: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "shop", "msg": message, "levelname": "INFO", "created": 1.5, "msecs": 500.0} | more
    )


def formatted(**more: Any) -> dict[str, Any]:
    line = JsonFormatter().format(record(**more))
    assert "\n" not in line
    assert line.isascii()
    found: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    return found


def test_times_are_in_utc_with_milliseconds_or_as_asked_for() -> None:
    assert formatted()["time"] == "1970-01-01T00:00:01.500Z"
    assert json.loads(JsonFormatter(datefmt="%Y").format(record()))["time"] == "1970"


def test_an_exception_is_an_object_with_its_traceback() -> None:
    try:
        raise LookupError("no such vault: http://ada:hush@vault")
    except LookupError as error:
        found = formatted(exc_info=(type(error), error, error.__traceback__), stack_info="Stack:\n  here")
    assert found["exception"]["type"] == "builtins.LookupError"
    assert found["exception"]["message"] == "no such vault: http://[redacted]@vault"
    assert found["exception"]["traceback"].startswith("Traceback (most recent call last):\n")
    assert "hush" not in found["exception"]["traceback"]
    assert found["stack"] == "Stack:\n  here"


def test_keys_are_redacted_whoever_logs_them() -> None:
    found = formatted(message="key %s", args=("fmc_abc",), extra={"url": "http://u:p@h", "deep": [{"k": "muxi_sk_1"}]})
    assert found["message"] == "key fmc_[redacted]"
    assert found["extra"] == {"url": "http://[redacted]@h", "deep": [{"k": "muxi_sk_[redacted]"}]}


def test_what_json_does_not_know_is_written_all_the_same() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("oops")

    loop: list[Any] = [1]
    loop.append(loop)
    found = formatted(
        nan=float("nan"),
        odd={
            1,
        },
        raw=b"x",
        broken=Broken(),
        loop=loop,
        keys={(1, 2): None},
        level="mine",
    )
    assert found["nan"] == "nan"
    assert found["odd"] == [1]
    assert found["raw"] == "b'x'"
    assert found["broken"] == "<Broken whose repr raises RuntimeError>"
    assert found["loop"] == [1, "…"]
    assert found["keys"] == {"(1, 2)": None}
    assert found["level"] == "INFO", "an extra of that name does not take its place"


@given(message=st.text(), extra=st.dictionaries(st.text(), st.text() | st.floats() | st.binary() | st.none()))
def test_any_record_is_one_line_of_json(message: str, extra: dict[str, Any]) -> None:
    line = JsonFormatter().format(record("%s", args=(message,), extra=extra))
    assert len(io.StringIO(line).readlines()) == 1
    json.loads(line, parse_constant=pytest.fail)
