"""Writes an example of every fact that has none yet; what was ever released stays as it was written."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from shared.events import CATALOGUE, Fact, encode

EXAMPLES = Path(__file__).with_name("examples")
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zones follow
TEXTS = st.text(max_size=20)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: MOMENTS,
    timedelta: st.timedeltas(),
    NoneType: st.none(),
    Any: st.none() | TEXTS,
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one line for each kind of annotation
    """Any value of an annotation that facts use."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of(*(values_of(each) for each in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values_of(inner[0]), values_of(inner[1]), max_size=3)
    if issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in msgspec.structs.fields(kind)})
    return st.sampled_from(list(kind))


def example_of(kind: Any, name: str = "") -> Any:  # noqa: PLR0911 - as values_of
    """One telling value of an annotation, the same every time."""
    plain = {str: name, int: 1250, bool: True, float: 0.5, datetime: datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC)}
    if kind in plain:
        return plain[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return example_of(inner[0], name)
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return (example_of(inner[0], name),)
    if origin is dict:
        return {name: example_of(inner[1], name)}
    if issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return kind(**{field.name: example_of(hints[field.name], field.name) for field in msgspec.structs.fields(kind)})
    return next(iter(kind))


def path_of(fact: type[Fact], version: int) -> Path:
    """Where the example of one version of a fact is."""
    return EXAMPLES / f"{fact.type}.{version}.json"


def main() -> None:
    """Write what is missing."""
    EXAMPLES.mkdir(exist_ok=True)
    for fact in CATALOGUE.values():
        path = path_of(fact, fact.version)
        if not path.exists():
            path.write_bytes(msgspec.json.format(encode(example_of(fact)), indent=2) + b"\n")


if __name__ == "__main__":
    main()
