"""A plugin whose extra is not installed says so, in an error that tools which look at every name pass over."""

from __future__ import annotations

import importlib
import pickle
import sys

import pytest

from muxi import plugins
from muxi.errors import ConfigurationError, MissingExtraError


@pytest.mark.parametrize(
    ("name", "home", "library", "extra"),
    [
        ("Prometheus", "prometheus", "prometheus_client", "prometheus"),
        ("ResponseCache", "cache", "cachetools", "cache"),
    ],
)
def test_a_missing_extra_is_a_configuration_error_and_an_import_error(
    name: str, home: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"muxi.plugins.{home}", raising=False)
    monkeypatch.delitem(vars(plugins), name, raising=False)
    with pytest.raises(ImportError, match=rf"pip install 'muxi-client\[{extra}\]'") as caught:
        getattr(importlib.import_module("muxi.plugins"), name)
    assert isinstance(caught.value, ConfigurationError)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
    assert (type(again), str(again)) == (MissingExtraError, str(caught.value))
