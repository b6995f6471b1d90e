"""The form that is signed. What makes it on the other side is orjson; where it is installed, it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.webhook import canonical
from tests.requirements import require_module


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ('{"b": 1, "a": [1, 2, {"d": null, "c": true}]}', '{"a":[1,2,{"c":true,"d":null}],"b":1}'),
        (r'{"t": "Gr\u00fc\u00dfe \ud83d\ude80 \u2028 \/ \u007f"}', '{"t":"Grüße 🚀 \u2028 / \x7f"}'),
        (r'{"t": "\u0000\u001b\u0008\f\n\r\t\"\\"}', r'{"t":"\u0000\u001b\b\f\n\r\t\"\\"}'),
        # By code point, not by UTF-16 unit, and upper case before lower case.
        ('{"\U0001f600": 1, "\uffff": 2, "é": 3, "a": 4, "B": 5}', '{"B":5,"a":4,"é":3,"\uffff":2,"\U0001f600":1}'),
        ("[1.0, 0.44399261474609375, 1795362708.4635477, -0.0]", "[1.0,0.44399261474609375,1795362708.4635477,-0.0]"),
        ("[8.1e-05, 1e-05, -1.2345e-05]", "[0.000081,0.00001,-0.000012345]"),
        ("[1e-06, 9.99e-06, 1.5e-07, -5e-324]", "[1e-6,9.99e-6,1.5e-7,-5e-324]"),
        ("[0.0001, 0.00012, 1e+16, 1.5e+300]", "[0.0001,0.00012,1e+16,1.5e+300]"),
        ("[18446744073709551615, -1, 0]", "[18446744073709551615,-1,0]"),
        ("[NaN, Infinity, -Infinity]", "[null,null,null]"),
        ("{}", "{}"),
        ('"text"', '"text"'),
    ],
)
def test_the_canonical_form(body: str, form: str) -> None:
    assert canonical(body) == canonical(body.encode()) == form.encode()
    # What is canonical stays as it is.
    assert canonical(form) == form.encode()


def test_a_mapping_has_the_form_of_its_body() -> None:
    value = {"b": (1, 2.5, 8.1e-05, 1e-06, 1.0, 1e16), "a": float("nan"), "c": {"ü": True, "z": None}}
    assert canonical(value) == canonical(json.dumps(value))


def test_numbers_keep_the_text_of_the_wire() -> None:
    assert canonical(b'{"n": 1.50, "m": 0.1000000000000000055511151231257827}') == (
        b'{"m":0.1000000000000000055511151231257827,"n":1.50}'
    )


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    # Larger ones are written in two ways by versions of orjson; no webhook has any.
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _VALUES))
def test_orjson_makes_the_same_of_what_the_wire_has(value: dict[str, Any]) -> None:
    orjson = require_module("orjson")
    signed = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert canonical(json.dumps(value)) == signed
    assert canonical(signed) == signed
    assert canonical(value) == signed
