"""UUIDs of the driver's class are what the standard library would have made."""

from uuid import RFC_4122, UUID, uuid5

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from shared.uids import new_uid, uid, uid_within


@given(space=some.uuids(), name=some.text())
def test_a_name_within_a_space_has_the_id_that_the_standard_gives_it(space: UUID, name: str) -> None:
    assert uid_within(space, name) == uuid5(space, name)


@given(given=some.uuids())
def test_bytes_and_text_give_the_same_id_under_which_a_row_is_found(given: UUID) -> None:
    assert {given: "row"}[uid(given.bytes)] == {uid(str(given)): "row"}[given] == "row"
    assert msgspec.json.encode(uid(given.bytes)) == msgspec.json.encode(given)


def test_new_ids_are_random_ones_and_differ() -> None:
    made = {new_uid() for _ in range(100)}
    assert len(made) == 100
    assert {(each.version, each.variant) for each in made} == {(4, RFC_4122)}
