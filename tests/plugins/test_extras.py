"""Plugins that need a library of an extra say which, where it is missing."""

from __future__ import annotations

import sys

import pytest

import muxi.plugins
from muxi import ConfigurationError


@pytest.mark.parametrize(
    ("name", "module", "library", "extra"),
    [
        ("Prometheus", "muxi.plugins.prometheus", "prometheus_client", "prometheus"),
        ("ResponseCache", "muxi.plugins.cache", "cachetools", "cache"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, library: str, extra: str
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delitem(vars(muxi.plugins), name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'muxi-client\[{extra}\]'"):
        getattr(muxi.plugins, name)


def test_every_public_name_is_there() -> None:
    for name in muxi.plugins.__all__:
        assert getattr(muxi.plugins, name).__name__ == name
    assert sorted(muxi.plugins.__all__) == muxi.plugins.__all__
