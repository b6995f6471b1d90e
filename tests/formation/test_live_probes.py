"""The live suite covers every public method. It needs the real runtime; what it covers is known without."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import pytest

from muxi import FormationClient, ServerClient
from tests.live.lab.formations import KINDS
from tests.live.probing import EMBEDDED, Probe, probe_of, public_methods
from tests.live.verdicts import TABLE

LIVE = Path(__file__).parents[1] / "live"


@cache
def probes() -> tuple[Probe, ...]:
    """Every probe of the live suite."""
    modules = [importlib.import_module(f"tests.live.{path.stem}") for path in sorted(LIVE.glob("test_*.py"))]
    found = [probe_of(value) for module in modules for name, value in vars(module).items() if name.startswith("test_")]
    return tuple(probe for probe in found if probe is not None)


def covered(kind: str) -> set[str]:
    """The methods that probes of a kind of formation name."""
    return {method for probe in probes() if kind in probe.on for method in probe.methods}


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_of_a_formation_client_has_a_probe(kind: str) -> None:
    assert covered(kind) == public_methods(FormationClient)


def test_every_method_of_a_server_client_has_a_probe() -> None:
    assert covered(EMBEDDED) == public_methods(ServerClient)


def test_the_committed_table_has_every_method_and_no_failure() -> None:
    rows = [line.split("|")[1:-1] for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = [cells[0].strip().strip("`") for cells in rows]
    assert sorted(named) == sorted([*public_methods(FormationClient), *public_methods(ServerClient)])
    verdicts = {cell.strip().partition(" ")[0] for cells in rows for cell in cells[1:]}
    assert verdicts <= {"works", "defect"}
