"""The error for a bundle that must not be sent."""

from __future__ import annotations

from muxi.errors import ValidationError

__all__ = ["refused"]


def refused(field: str, problem: str) -> ValidationError:
    """Return the error that names the invalid field, such as ``bundle.formation.id``, and the problem."""
    return ValidationError("INVALID_BUNDLE", problem, details={"validation_errors": [{"field": field, "msg": problem}]})
