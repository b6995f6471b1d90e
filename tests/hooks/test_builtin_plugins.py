"""The plugins every client has, and what only some have to import."""

from __future__ import annotations

import re

import pytest

import muxi.plugins
from muxi.exchange.identifiers import random_id
from muxi.hooks import Hooks
from tests.answers import Colour

NAMES = ["muxi.sdk_headers", "muxi.idempotency", "muxi.retry", "muxi.log", "muxi.auth"]


def test_every_client_has_them_in_this_order(colour: Colour) -> None:
    for client in (colour.formation(), colour.server()):
        hooks: Hooks = client._core.hooks
        assert hooks.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_gone_without(colour: Colour, name: str) -> None:
    hooks: Hooks = colour.formation(disable_plugins=[name])._core.hooks
    assert hooks.names() == [other for other in NAMES if other != name]


def test_the_public_ones_are_loaded_when_they_are_asked_for() -> None:
    assert sorted(muxi.plugins.__all__) == list(muxi.plugins.__all__)
    for name in muxi.plugins.__all__:
        assert getattr(muxi.plugins, name).__name__ == name
        assert name in dir(muxi.plugins)
    with pytest.raises(AttributeError, match="no attribute 'Retyr'"):
        _ = muxi.plugins.Retyr


def test_random_ids_have_the_platforms_form() -> None:
    ids = {random_id("req_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"req_[_0-9A-Za-z]{21}", it) for it in ids)
    assert len(random_id("x", 8)) == 9
