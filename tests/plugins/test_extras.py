"""A plugin whose extra is not installed says so, in an error that tools which look at every name pass over."""

from __future__ import annotations

import ast
import importlib
import pickle
import sys
from pathlib import Path

import pytest

import muxi
import muxi_transports
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


def test_every_error_that_names_an_extra_is_that_one() -> None:
    """Found in the source, so that a new one is too."""
    wrong = []
    for package in (muxi, muxi_transports):
        for path in Path(package.__path__[0]).rglob("*.py"):
            source = path.read_text("utf-8")
            for node in ast.walk(ast.parse(source)) if "muxi-client" in source else ():
                if not (isinstance(node, ast.Call) and "Error" in ast.unparse(node.func)):
                    continue
                texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                names_extra = any(isinstance(text, str) and "pip install 'muxi-client[" in text for text in texts)
                if names_extra and ast.unparse(node.func) != "MissingExtraError":
                    wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []
