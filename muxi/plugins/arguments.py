"""Checks of the arguments of plugins."""

from __future__ import annotations

import math

from muxi.errors import ConfigurationError
from muxi.redact import show_value

__all__ = ["check_count", "check_function", "check_name", "check_number"]


#: Numbers from here on are larger than any rate, time or size, and ints among them may not fit into a float.
_LARGEST = 1e300


def check_number(argument: str, value: object, *, zero: bool = False) -> None:
    """Refuse a value that is not a finite number above 0.

    Args:
        argument: name of the argument.
        value: the value given.
        zero: whether 0 is accepted.

    Raises:
        ConfigurationError: names the argument.
    """
    finite = isinstance(value, int | float) and abs(value) < _LARGEST and not math.isnan(value)
    number = finite and not isinstance(value, bool)
    if not number or value < 0 or (value == 0 and not zero):  # type: ignore[operator]  # a number by now
        raise ConfigurationError(
            f"{argument}= takes a number {'from 0 up' if zero else 'above 0'}, got {show_value(value)}"
        )


def check_count(argument: str, value: object) -> None:
    """Refuse a value that is not a whole number from 1 up.

    Raises:
        ConfigurationError: names the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < _LARGEST:
        raise ConfigurationError(f"{argument}= takes a whole number from 1 up, got {show_value(value)}")


def check_function(argument: str, value: object) -> None:
    """Refuse a value that is neither callable nor None.

    Raises:
        ConfigurationError: names the argument.
    """
    if value is not None and not callable(value):
        raise ConfigurationError(f"{argument}= takes a function, got {show_value(value)}")


def check_name(value: object) -> None:
    """Refuse a value that cannot be the name of a plugin.

    Raises:
        ConfigurationError: it is not a text, or empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"name= takes a text that is not empty, got {show_value(value)}")
