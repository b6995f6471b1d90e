"""How a stub tells what it is for: data by their parts, paths by patterns, differences in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi_transports.memory.stubs.matching import PathPattern, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_everything_is_like_itself(value: object) -> None:
    assert list(differences(value, value, "json")) == []


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.data())
def test_a_part_of_an_object_is_enough(value: dict[str, object], data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(value)))) if value else set()
    assert list(differences({name: value[name] for name in names}, value, "json")) == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        (True, 1, "json is 1, not True"),
        (1, True, "json is True, not 1"),
        ([1], [1, 2], "json has 2 items, not 1"),
        ([1], {}, "json is {}, not a list"),
        ({"a": {"b": 1}}, {"a": []}, "json.a is [], not an object"),
        ({"api_key": "x"}, {"api_key": "sesame"}, "json.api_key is '[redacted]', not '[redacted]'"),
        (re.compile("x+"), "y", "json is 'y', which has no match of 'x+'"),
    ],
)
def test_differences_in_words(expected: object, actual: object, said: str) -> None:
    assert list(differences(expected, actual, "json")) == [said]


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/v1/agents", "v1/agents", {}),
        ("/v1/agents", "v1/agents/x", None),
        ("/v1/{kind}/{name}", "v1/agents/x", {"kind": "agents", "name": "x"}),
        ("/v1/*/x", "v1/agents/x", {}),
        ("/**/{name}", "v1/agents/x", {"name": "x"}),
        ("/v1/**", "v1", {}),
        ("*", "anything/at/all", {}),
        ("/v1/chat", "api/bot/v1/chat", {}),
        ("/v1/chat", "draft/bot/v1/chat", {}),
        ("/rpc/x", "api/bot/rpc/x", None),
    ],
)
def test_paths(pattern: str, path: str, params: dict[str, str] | None) -> None:
    assert PathPattern(pattern).match(path.split("/")) == params
