"""Results: the data unchanged, and the envelope's rest where it is looked for."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from muxi import Meta, ServerError, meta
from muxi.result import Result
from tests.answers import Colour, plain


@pytest.fixture
def result() -> Result:
    return Result({"a": 1}, meta=Meta(request_id="req_1", timestamp=5, status=200, attempts=2))


def test_a_result_is_its_data(result: Result) -> None:
    assert result == {"a": 1}
    assert list(result) == ["a"]
    assert len(result) == 1
    assert json.dumps(result) == '{"a": 1}'
    assert "request_id" not in result


def test_what_the_data_lacks_is_looked_up_in_the_envelope(result: Result) -> None:
    assert result["request_id"] == result.get("request_id") == "req_1"
    assert result["timestamp"] == 5
    assert result.get("b") is None
    assert result.get("b", 7) == 7
    for missing in ("b", "status", "idempotency_key"):
        with pytest.raises(KeyError):
            result[missing]


def test_the_data_go_first() -> None:
    assert Result({"request_id": None}, meta=Meta(request_id="req_1"))["request_id"] is None


def test_the_rest_is_typed(result: Result) -> None:
    assert meta(result).attempts == 2
    for other in ({"a": 1}, None, "x"):
        with pytest.raises(TypeError, match="what a client's method returned"):
            meta(other)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])  # noqa: S301
def test_results_are_copied_and_pickled_whole(result: Result, clone: Any) -> None:
    again = clone(result)
    assert again == result
    assert meta(again) == meta(result)


def test_an_answer_that_is_nested_without_end_is_no_answer(colour: Colour) -> None:
    deep = plain(200, b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json")
    with pytest.raises(ServerError, match="not a JSON object"):
        colour.run(colour.formation(deep).health)
