"""The command, run as ``muxi-client acme-payer``: found by the entry point of the installed package."""

from __future__ import annotations

import pytest

from muxi.cli import main


def test_the_command_prints_who_pays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ACME_COST_CENTRE", "search")
    assert main(["acme-payer"]) == 0
    assert capsys.readouterr().out == "search\n"


def test_without_a_cost_centre_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ACME_COST_CENTRE", raising=False)
    assert main(["acme-payer"]) == 1
    assert capsys.readouterr().out == "unassigned\n"


def test_it_is_listed_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "acme-payer" in capsys.readouterr().out
