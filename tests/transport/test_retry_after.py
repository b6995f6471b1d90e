"""``Retry-After`` is digits or a date; nothing else asks for a wait, and nothing that a peer can write raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.transport import BufferedResponse

NOW = 1_700_000_000.0


def asked(value: str) -> float | None:
    return BufferedResponse(503, [("Retry-After", value)]).retry_after(NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:30 -0000", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("9" * 5000, 1e9),
    ],
)
def test_digits_and_dates_ask_for_a_wait(value: str, seconds: float) -> None:
    assert asked(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *["", "-1", "+1", "nan", "inf", "1e3", "1_0", "0x2", "1.2.3", ".", "soon", "\N{ARABIC-INDIC DIGIT ONE}"],
        "Wed, 01 Jan 2026 0:0:99999999999 GMT",
    ],
)
def test_anything_else_asks_for_none(value: str) -> None:
    assert asked(value) is None


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_no_value_raises(value: str) -> None:
    seconds = asked(value)
    assert seconds is None or seconds >= 0.0


@given(st.lists(st.text("0123456789+-", min_size=1, max_size=14), min_size=6, max_size=6))
def test_no_date_raises(parts: list[str]) -> None:
    seconds = asked("Wed, {} Jan {} {}:{}:{} {}".format(*parts))
    assert seconds is None or seconds >= 0.0
