"""The conversation of ``muxi-client chat``: its state, its commands, its screen and its prompt."""

from __future__ import annotations
