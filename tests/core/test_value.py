"""Values are frozen dataclasses in everything but the time it takes to make one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace

import pytest

from restock.core.value import changed, value


@value
class Parcel:
    """A thing to try it with."""

    number: int
    label: str = "none"
    parts: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Same:
    """The same thing, made the usual way."""

    number: int
    label: str = "none"
    parts: list[int] = field(default_factory=list)


@pytest.mark.parametrize(("args", "named"), [((1,), {}), ((1, "a"), {}), ((), {"number": 2, "parts": [3]})])
def test_a_value_is_the_dataclass_of_the_same_fields(args: tuple[int, ...], named: dict[str, object]) -> None:
    made, same = Parcel(*args, **named), Same(*args, **named)  # type: ignore[arg-type]
    assert asdict(made) == asdict(same)
    assert [one.name for one in fields(made)] == [one.name for one in fields(same)]
    assert made == Parcel(*args, **named) and repr(made) == repr(same).replace("Same", "Parcel")  # type: ignore[arg-type]


def test_a_value_cannot_be_changed_but_copied_with_changes() -> None:
    made = Parcel(1, parts=[1])
    with pytest.raises(FrozenInstanceError):
        made.number = 2  # type: ignore[misc]
    assert changed(made, number=2) == replace(made, number=2)
    assert made.number == 1


def test_each_value_gets_a_default_of_its_own() -> None:
    assert Parcel(1).parts is not Parcel(2).parts


def test_what_is_missing_or_unknown_is_an_error() -> None:
    with pytest.raises(TypeError, match="number"):
        Parcel()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="weight"):
        Parcel(1, weight=2)  # type: ignore[call-arg]


def test_a_value_that_computes_a_field_is_refused() -> None:
    class Computing:
        number: int

        def __post_init__(self) -> None:
            """Compute something."""

    with pytest.raises(TypeError, match="computes"):
        value(Computing)
