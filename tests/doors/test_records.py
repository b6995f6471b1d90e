"""Values of the SDK are what dataclasses are, for programs and for tools; no source code is compiled for them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any, ClassVar

import pytest

from muxi.records import Record, field, fields, replace


class Place(Record, frozen=True):
    """Frozen, with each kind of field."""

    name: str
    tags: list[str] = field(default_factory=list)
    height: float = 0.0
    secret: str = field(default="s", kw_only=True, repr=False, compare=False)
    planet: ClassVar[str] = "earth"


class Town(Place, frozen=True):
    """Adds a field."""

    mayor: str | None = None


class Counter(Record):
    """Can be changed."""

    count: int = 0


@dataclasses.dataclass(frozen=True)
class Twin:
    """The same as :class:`Place`, made by dataclasses."""

    name: str
    tags: list[str] = dataclasses.field(default_factory=list)
    height: float = 0.0
    secret: str = dataclasses.field(default="s", kw_only=True, repr=False, compare=False)
    planet: ClassVar[str] = "earth"


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", ["x"], 1.5), {}),
    ((), {"name": "a", "secret": "t"}),
    (("a",), {"height": 2.0}),
    ((), {}),
    (("a",), {"name": "b"}),
    (("a", [], 0.0, "s"), {}),
    (("a",), {"planet": "mars"}),
    ((), {"height": 1.0, "depth": 1.0}),
]


@pytest.mark.parametrize(("args", "given"), ARGUMENTS)
def test_a_record_takes_and_refuses_the_arguments_that_a_dataclass_does(
    args: tuple[Any, ...], given: dict[str, Any]
) -> None:
    try:
        expected = Twin(*args, **given)
    except TypeError:
        with pytest.raises(TypeError, match=r"^Place\(\): "):
            Place(*args, **given)
        return
    place = Place(*args, **given)
    assert vars(place) == vars(expected)
    assert repr(place) == repr(expected).replace("Twin", "Place")


def test_records_are_equal_by_class_and_compared_fields() -> None:
    assert Place("a") == Place("a", secret="other")
    assert Place("a") != Place("b")
    assert Place("a") != Town("a")
    assert Place("a") != "a"
    assert Counter(1) == Counter(1)


def test_each_record_gets_a_default_of_its_own_from_a_factory() -> None:
    assert Place("a").tags is not Place("a").tags


def test_a_frozen_record_can_be_hashed_and_not_be_changed() -> None:
    place = Place("a", tags=())  # type: ignore[arg-type]  # what can be hashed
    assert hash(place) == hash(Place("a", tags=()))  # type: ignore[arg-type]  # likewise
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        place.name = "b"  # type: ignore[misc]  # what is tested
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del place.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        Town("a").mayor = "b"  # type: ignore[misc]  # likewise
    counter = Counter()
    counter.count = 3
    assert counter.count == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_records_are_copied_pickled_replaced_and_matched() -> None:
    town = Town("a", ["x"], mayor="m")
    assert pickle.loads(pickle.dumps(town)) == town  # noqa: S301  our own
    assert copy.copy(town) == copy.deepcopy(town) == town
    assert replace(town, name="b") == Town("b", ["x"], mayor="m")
    match town:
        case Town("a", tags):
            assert tags == ["x"]
        case _:
            pytest.fail("a record is matched by position")


def test_the_functions_of_dataclasses_work_on_records() -> None:
    town = Town("a", ["x"])
    assert [(item.name, item.type) for item in dataclasses.fields(Place)] == [
        (item.name, item.type) for item in dataclasses.fields(Twin)
    ]
    assert [item.name for item in dataclasses.fields(town)] == [item.name for item in fields(Town)]
    assert dataclasses.is_dataclass(town)
    assert dataclasses.replace(town, name="b").name == "b"
    assert dataclasses.asdict(town)["tags"] == ["x"]

    @dataclasses.dataclass(frozen=True)
    class Village(Place, frozen=True):
        well: bool = True

    assert Village("v", well=False).well is False


def test_tools_see_the_signature_of_a_record() -> None:
    expected = str(inspect.signature(Twin, eval_str=True)).replace("<factory>", "[]")
    assert str(inspect.signature(Place)) == expected
    assert list(inspect.signature(Town).parameters) == ["name", "tags", "height", "mayor", "secret"]
    assert Place.__match_args__ == Twin.__match_args__
