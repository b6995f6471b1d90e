"""Classes of values: what :func:`dataclasses.dataclass` makes, without compiling source code as a module is imported.

``dataclass`` writes the methods of each class as text and compiles them, which for the twenty classes that a client
needs takes longer than loading all their modules. Here they are written once, and read the fields of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """Do nothing: the decorator of :mod:`typing` speaks to type checkers only, and Python 3.10 has none."""
        return lambda cls: cls


__all__ = ["Record", "RecordField", "field", "fields", "replace"]

R = TypeVar("R", bound="Record")

#: Says that a field has no default.
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "<missing>"})()


class RecordField:
    """One field of a record; the names of its attributes are those of :class:`dataclasses.Field`."""

    __slots__ = ("compare", "default", "default_factory", "kw_only", "name", "repr", "type")

    def __init__(self, default: Any, default_factory: Any, *, show: bool, compare: bool, kw_only: bool) -> None:
        self.name: str = ""
        #: The annotation, as text.
        self.type: str = ""
        self.default: Any = default
        #: Makes the default of each new record.
        self.default_factory: Any = default_factory
        self.repr: bool = show
        self.compare: bool = compare
        self.kw_only: bool = kw_only


def field(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] = MISSING,
    repr: bool = True,  # noqa: A002  the name that dataclasses have for it
    compare: bool = True,
    kw_only: bool = False,
) -> Any:
    """Describe a field in the body of a class, as :func:`dataclasses.field` does.

    Args:
        default: its default.
        default_factory: makes the default of each new record.
        repr: whether ``repr()`` shows it.
        compare: whether it counts for equality.
        kw_only: whether it is given by name only.
    """
    return RecordField(default, default_factory, show=repr, compare=compare, kw_only=kw_only)


class _Layout:
    """The fields of a class, sorted by what its methods do with them."""

    __slots__ = ("compared", "count", "defaults", "factories", "fields", "positional", "required")

    def __init__(self, found: tuple[RecordField, ...]) -> None:
        self.fields = found
        self.count = len(found)
        #: The names of the fields that may be given by position.
        self.positional = tuple(item.name for item in found if not item.kw_only)
        #: Defaults that all records share.
        self.defaults = {item.name: item.default for item in found if item.default is not MISSING}
        self.factories = tuple(
            (item.name, item.default_factory) for item in found if item.default_factory is not MISSING
        )
        self.required = frozenset(item.name for item in found if _is_required(item))
        self.compared = tuple(item.name for item in found if item.compare)


def _is_required(item: RecordField) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


class _FromDataclasses:
    """An attribute that :mod:`dataclasses` gives to its classes, taken from a twin of the class when first asked for.

    With it ``dataclasses.fields()``, ``replace()`` and ``asdict()`` work on records.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type[Record]) -> Any:
        if owner is Record:  # is neither frozen nor not, as either may be made of it
            raise AttributeError(self._name)
        from dataclasses import field as dataclass_field
        from dataclasses import make_dataclass

        described = [
            (
                item.name,
                item.type,
                dataclass_field(
                    **{
                        name: getattr(item, name)
                        for name in RecordField.__slots__
                        if name not in ("name", "type") and getattr(item, name) is not MISSING
                    }
                ),
            )
            for item in owner._layout.fields
        ]
        twin = make_dataclass(owner.__name__, described, frozen=owner._frozen)
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(owner, name, getattr(twin, name))
        return owner.__dict__[self._name]


class _Signature:
    """The signature of a class of records, made when first asked for."""

    def __get__(self, instance: object, owner: type[Record]) -> Any:
        from inspect import Parameter, Signature, signature
        from typing import get_type_hints

        own = owner.__init__
        if own is not Record.__init__:
            found = signature(own, eval_str=True)
            found = found.replace(parameters=list(found.parameters.values())[1:], return_annotation=None)
        else:
            hints = get_type_hints(owner)
            found = Signature(
                [
                    Parameter(
                        item.name,
                        Parameter.KEYWORD_ONLY if item.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                        default=_default(item, Parameter.empty),
                        annotation=hints[item.name],
                    )
                    for item in sorted(owner._layout.fields, key=lambda item: item.kw_only)
                ],
                return_annotation=None,
            )
        owner.__signature__ = found  # type: ignore[attr-defined]  # hidden from type checkers, see Record
        return found


def _default(item: RecordField, missing: object) -> object:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return missing if item.default is MISSING else item.default


@dataclass_transform(field_specifiers=(field,))
class Record:
    """The base of values: its annotated attributes are its fields, and the arguments of its constructor.

    ::

        class Point(Record, frozen=True):
            x: float
            y: float = 0.0

    Two records are equal if they are of one class and their fields are. A frozen one refuses to be changed, and can be
    hashed. A class may write its own ``__init__``, ``__repr__`` or ``__eq__``.
    """

    _layout: Any = _Layout(())
    _frozen: Any = False
    if not TYPE_CHECKING:
        __signature__ = _Signature()
        __dataclass_fields__ = _FromDataclasses()
        __dataclass_params__ = _FromDataclasses()

    def __init_subclass__(cls, *, frozen: bool = False) -> None:
        super().__init_subclass__()
        found: dict[str, RecordField] = {}
        for base in cls.__mro__[-1:0:-1]:
            if "_layout" in base.__dict__:
                found.update((item.name, item) for item in base.__dict__["_layout"].fields)
        found.update((item.name, item) for item in _fields_in(cls))
        cls._layout = _Layout(tuple(found.values()))
        made: Any = cls  # attributes of each class, which the base does not have for type checkers
        made.__match_args__ = cls._layout.positional  # type: ignore[misc]  # mypy lets classes alone have it
        if frozen and not cls._frozen:
            made._frozen = True
            made.__setattr__ = _refuse_setting
            made.__delattr__ = _refuse_deleting
            made.__hash__ = _hash
        if not TYPE_CHECKING:
            # A parent's may have been made before this class was.
            cls.__signature__ = _Signature()
            cls.__dataclass_fields__ = _FromDataclasses()
            cls.__dataclass_params__ = _FromDataclasses()
            for name in ("__dataclass_fields__", "__dataclass_params__"):
                cls.__dict__[name].__set_name__(cls, name)

    if not TYPE_CHECKING:

        def __init__(self, *args: Any, **given: Any) -> None:
            layout, values, named = self._layout, self.__dict__, given
            if args:
                named = dict(zip(layout.positional, args, strict=False), **given)
                if len(named) != len(args) + len(given):
                    raise _wrong_arguments(type(self), args, given)
            values.update(layout.defaults)
            values.update(named)
            for name, make in layout.factories:
                if name not in values:
                    values[name] = make()
            # With every required field there, and no more values than fields, there is no unknown one.
            if len(values) != layout.count or not layout.required <= values.keys():
                raise _wrong_arguments(type(self), args, given)

        def __replace__(self, /, **changes: Any) -> Self:
            return replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _compared(self) == _compared(other)

    def __repr__(self) -> str:
        shown = (f"{item.name}={getattr(self, item.name)!r}" for item in self._layout.fields if item.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"


def fields(record: Record | type[Record]) -> tuple[RecordField, ...]:
    """Return the fields of a record, or of a class of records, in their order."""
    found: tuple[RecordField, ...] = record._layout.fields
    return found


def replace(record: R, **changes: Any) -> R:
    """Return a copy with some fields changed."""
    return type(record)(**{**{item.name: getattr(record, item.name) for item in fields(record)}, **changes})


def _fields_in(cls: type[Record]) -> Iterator[RecordField]:
    """Yield the fields that the body of a class describes, and leave their defaults in it."""
    for name, text in cls.__annotations__.items():
        if name.startswith("_") or str(text).startswith(("ClassVar", "typing.ClassVar")):
            continue
        described = cls.__dict__.get(name, MISSING)
        if not isinstance(described, RecordField):
            described = RecordField(described, MISSING, show=True, compare=True, kw_only=False)
        elif described.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, described.default)
        described.name, described.type = name, text
        yield described


def _compared(record: Any) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in record._layout.compared])


def _hash(self: Record) -> int:
    return hash(_compared(self))


def _refuse_setting(self: Record, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: Record, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _wrong_arguments(cls: type[Record], args: tuple[object, ...], given: dict[str, object]) -> TypeError:
    """Return the error that a function of the same signature raises."""
    try:
        cls.__signature__.bind(*args, **given)  # type: ignore[attr-defined]  # hidden from type checkers, see there
    except TypeError as error:
        return TypeError(f"{cls.__name__}(): {error}")
    return TypeError(f"{cls.__name__}(): wrong arguments")
