"""Facts keep their meaning on the way: written and read again they are the same, in every version ever written."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.base import Record
from shared.errors import NewerVersion
from shared.events import CATALOGUE, Event, Fact, Lane, decode, encode
from shared.inbox import event_of
from shared.parking import pack, unpack
from shared.tx import outbox_row
from shared.workset import Due
from tests.contracts.examples import EXAMPLES, MOMENTS, TEXTS, path_of, values_of

FACTS = sorted(CATALOGUE.values(), key=lambda fact: fact.type)
ENVELOPES = {
    "id": st.uuids(),
    "account": TEXTS,
    "store": TEXTS,
    "customer": TEXTS,
    "time": MOMENTS,
    "recorded": MOMENTS,
    "lane": st.sampled_from(Lane),
    "cause": st.none() | st.uuids(),
    "correlation": st.none() | st.uuids(),
    "trace": TEXTS,
}
named = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.type)


@named
@given(data=st.data())
def test_a_fact_is_read_as_it_was_written(fact: type[Fact], data: st.DataObject) -> None:
    made = data.draw(values_of(fact))
    assert decode(fact.type, fact.version, encode(made)) == made


@given(event=st.builds(Event, fact=st.one_of(*(values_of(fact) for fact in FACTS)), **ENVELOPES))
def test_an_envelope_survives_outbox_and_bus(event: Event[Any]) -> None:
    row = outbox_row(event, "ingest")
    headers = msgspec.json.decode(row.head, type=dict[str, str])
    assert event_of(Record(row.topic, row.partition, 0, row.key, headers, row.body)) == event


@given(event=st.builds(Event, fact=st.one_of(*(values_of(fact) for fact in FACTS)), **ENVELOPES))
def test_a_parked_fact_is_unpacked_as_it_was(event: Event[Any]) -> None:
    kind, type_, data = pack(event)
    assert (kind, type_) == ("event", event.fact.type)
    assert unpack(kind, data) == event


@given(
    due=st.builds(
        Due,
        account=TEXTS,
        customer=TEXTS,
        store=TEXTS,
        kind=TEXTS,
        name=TEXTS,
        due=MOMENTS,
        id=st.uuids(),
        payload=st.dictionaries(TEXTS, st.none() | TEXTS | st.integers(-(2**53), 2**53)),
        correlation=st.none() | st.uuids(),
        trace=TEXTS,
    )
)
def test_a_parked_timer_is_unpacked_as_it_was(due: Due) -> None:
    kind, _type, data = pack(due)
    assert unpack(kind, data) == due


@named
def test_every_version_ever_written_has_an_example_that_is_still_read(fact: type[Fact]) -> None:
    for version in range(1, fact.version + 1):
        stored = path_of(fact, version).read_bytes()
        read = decode(fact.type, version, stored)
        assert isinstance(read, fact)
        assert decode(fact.type, fact.version, encode(read)) == read
    told = msgspec.json.decode(stored)
    assert _said_again(told, msgspec.json.decode(encode(read))), "a field of the example got lost"


def test_no_example_is_of_a_fact_that_was_dropped() -> None:
    known = {path_of(fact, version) for fact in FACTS for version in range(1, fact.version + 1)}
    assert set(EXAMPLES.glob("*.json")) == known


@named
def test_what_newer_code_wrote_waits(fact: type[Fact]) -> None:
    with pytest.raises(NewerVersion):
        decode(fact.type, fact.version + 1, b"{}")


def _said_again(told: Any, again: Any) -> bool:
    if isinstance(told, dict):
        return all(name in again and _said_again(value, again[name]) for name, value in told.items())
    return bool(told == again)
