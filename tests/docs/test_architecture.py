"""The page on the architecture is made from the code, and the code has the plan that it shows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    pytest.importorskip("sphinx", reason="the page is built with Sphinx: pip install 'muxi-client[docs]'")
    path = ROOT / "docs" / "_ext" / "architecture.py"
    spec = importlib.util.spec_from_file_location("architecture_extension", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_room_of_muxi_has_a_floor_and_a_purpose(architecture: ModuleType) -> None:
    on_floors = [room for floor in architecture.floors() for room in floor]
    assert sorted(on_floors) == architecture.rooms_of("muxi")
    assert all(architecture.purpose(room) for room in on_floors)
    assert all(architecture.purpose(room, "muxi_transports") for room in architecture.rooms_of("muxi_transports"))


def test_a_call_goes_from_its_description_over_the_exchange_and_the_plugins_to_the_transport(
    architecture: ModuleType,
) -> None:
    path = [step.room for step in architecture.call_path()]
    milestones = ["client", "operations", "exchange", "plugins", "your transport"]
    assert [room for room in path if room in milestones] == milestones
    assert path[-1] == "your transport"


def test_the_picture_has_every_room_and_every_step(architecture: ModuleType) -> None:
    picture = architecture.draw()
    for floor in architecture.floors():
        for room in floor:
            assert f">{room}</text>" in picture
    assert picture.count("<circle") == len(architecture.call_path())
