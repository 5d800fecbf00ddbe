"""Who is who: trust, merges, names that move, and what never joins."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.claims import Key
from shared.events.ingest import ConsentChanged, CustomerMerged, ProfileUpdated
from tests.ingest.memory import NOON, Desk

LATER = NOON + timedelta(minutes=10)


def owner(desk: Desk, kind: str, value: str, store: str = "sto_1") -> str:
    """Who goes by a name."""
    row = desk.desk.names.get(("acc_1", Key(kind, store if kind in {"customer", "anonymous"} else "", value)))  # type: ignore[arg-type]
    assert row is not None
    return desk.desk.person(row.customer).id


def buys(desk: Desk, number: str, **who: str) -> None:
    desk.native("purchase", {"order_id": number, "customer": who, "lines": [{"product": "tea", "price": 500}]})


def test_a_browser_that_logs_in_brings_its_history_along() -> None:
    desk = Desk()
    desk.track("Product Viewed", anonymousId="b1", product_id="11", trust="browser")
    desk.identify(userId="7", anonymousId="b1", trust="browser")
    buys(desk, "1", id="7", email="ana@example.com")
    assert owner(desk, "anonymous", "b1") == owner(desk, "customer", "7") == owner(desk, "email", "ana@example.com")


def test_traits_in_the_context_count_where_the_message_itself_has_none() -> None:
    desk = Desk()
    desk.identify(userId="7", traits={}, context={"traits": {"email": "ana@example.com", "firstName": "Ana"}})
    assert owner(desk, "email", "ana@example.com") == owner(desk, "customer", "7")
    assert [fact.first_name for fact in desk.facts(ProfileUpdated)] == ["Ana"]


def test_a_guest_who_registers_is_one_person_and_the_first_known_survives() -> None:
    desk = Desk()
    buys(desk, "1", email="ana@example.com")
    buys(desk, "2", id="7")
    buys(desk, "3", id="7", email="ANA@example.com")
    (merge,) = desk.facts(CustomerMerged)
    assert desk.owners() == [desk.desk.facts.rows[0].customer]
    assert merge.loser not in desk.owners()


def test_two_customer_ids_of_one_store_never_join_and_the_address_moves() -> None:
    desk = Desk()
    buys(desk, "1", id="7", email="ana@example.com")
    buys(desk, "2", id="8", email="ana@example.com")
    assert desk.facts(CustomerMerged) == []
    assert owner(desk, "customer", "7") != owner(desk, "customer", "8")
    assert owner(desk, "email", "ana@example.com") == owner(desk, "customer", "8")
    assert len(desk.owners()) == 2


def test_an_older_claim_does_not_move_an_address_back() -> None:
    desk = Desk()
    desk.native("customer", {"customer": {"id": "8", "email": "ana@example.com"}}, at=LATER)
    desk.native("customer", {"customer": {"id": "7", "email": "ana@example.com"}}, at=NOON)
    assert owner(desk, "email", "ana@example.com") == owner(desk, "customer", "8")


def test_a_browser_never_joins_two_known_persons_nor_names_a_verified_one() -> None:
    desk = Desk()
    buys(desk, "1", id="7", email="ana@example.com")
    buys(desk, "2", id="8", email="bea@example.com")
    desk.identify(userId="7", traits={"email": "bea@example.com", "firstName": "Eve"}, trust="browser")
    desk.identify(userId="7", traits={"email": "eve@example.com"}, trust="browser")
    assert desk.facts(CustomerMerged) == []
    assert ("acc_1", Key("email", "", "eve@example.com")) not in desk.desk.names
    assert all(fact.first_name != "Eve" for fact in desk.facts(ProfileUpdated))


def test_a_browser_never_joins_two_known_persons_who_are_not_at_odds() -> None:
    desk = Desk()
    buys(desk, "1", id="7")
    buys(desk, "2", email="guest@example.com")
    desk.identify(userId="7", traits={"email": "guest@example.com"}, trust="browser")
    assert desk.facts(CustomerMerged) == []
    assert owner(desk, "email", "guest@example.com") != owner(desk, "customer", "7")
    desk.identify(userId="7", traits={"email": "guest@example.com"})
    assert len(desk.facts(CustomerMerged)) == 1


def test_a_shared_browser_or_telephone_joins_nobody() -> None:
    desk = Desk()
    desk.identify(userId="7", anonymousId="b1", traits={"email": "ana@example.com", "phone": "+34600000001"})
    desk.identify(userId="8", anonymousId="b1", traits={"email": "bea@example.com", "phone": "+34600000001"})
    assert desk.facts(CustomerMerged) == []
    assert owner(desk, "anonymous", "b1") == owner(desk, "customer", "8")
    desk.native("customer", {"customer": {"email": "carl@example.com", "phone": "+34600000001"}})
    assert owner(desk, "email", "carl@example.com") not in {owner(desk, "customer", "7"), owner(desk, "customer", "8")}


def test_the_browser_cannot_send_orders_or_consent_for_somebody_known() -> None:
    desk = Desk()
    buys(desk, "1", id="7", email="ana@example.com")
    consent = {"customer": {"email": "ana@example.com"}, "channel": "email", "granted": True}
    desk.native("consent", consent, trust="browser")
    assert desk.facts(ConsentChanged) == []
    order = {"order_id": "2", "lines": [{"price": 1}]}
    assert desk.native("purchase", order, trust="browser").reason == "forbidden_for_browser_key"


def test_late_consent_does_not_overwrite_newer() -> None:
    desk = Desk()
    who = {"customer": {"email": "ana@example.com"}, "channel": "email"}
    desk.native("consent", {**who, "granted": False}, at=LATER)
    desk.native("consent", {**who, "granted": True}, at=NOON)
    assert [fact.granted for fact in desk.facts(ConsentChanged)] == [False]


def test_the_newest_word_on_a_profile_counts_whatever_comes_last() -> None:
    desk = Desk()
    desk.native("customer", {"customer": {"id": "7", "first_name": "Ana"}}, at=LATER)
    desk.native("customer", {"customer": {"id": "7", "first_name": "Anna", "last_name": "Diaz"}}, at=NOON)
    last = desk.facts(ProfileUpdated)[-1]
    assert (last.first_name, last.last_name) == ("Ana", "Diaz")


CLAIMS = (
    {"email": "ana@example.com"},
    {"id": "7", "email": "ana@example.com"},
    {"id": "7", "anonymous_id": "b1"},
    {"anonymous_id": "b1", "email": "ana@example.com"},
    {"id": "7", "phone": "+34600000001"},
)


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=3))
def test_whatever_order_the_names_come_in_one_person_is_one_person(order: list[int], again: list[int]) -> None:
    desk = Desk()
    for index in (*order, *again):
        buys(desk, f"{index}", **CLAIMS[index])
    assert len(desk.owners()) == 1
    assert len(desk.orders()) == 5
    survivor = desk.desk.customers["acc_1", desk.owners()[0]]
    assert survivor.recorded == min(row.recorded for row in desk.desk.customers.values())


def test_who_loses_an_address_is_told_so() -> None:
    desk = Desk()
    desk.native("customer", {"customer": {"id": "7", "email": "ana@example.com", "first_name": "Ana"}})
    desk.native("customer", {"customer": {"id": "8", "email": "ana@example.com"}}, at=LATER)
    seven = owner(desk, "customer", "7")
    last = [event.fact for event in desk.desk.facts.rows if event.customer == seven][-1]
    assert isinstance(last, ProfileUpdated)
    assert (last.email, last.first_name) == ("", "Ana")


def test_a_merge_tells_the_whole_profile_of_the_survivor() -> None:
    desk = Desk()
    desk.native("customer", {"customer": {"id": "7", "first_name": "Ana"}})
    desk.native("customer", {"customer": {"email": "ana@example.com", "last_name": "Diaz"}})
    desk.native("browse", {"customer": {"id": "7", "email": "ana@example.com"}})
    told = [fact for fact in desk.told if isinstance(fact, CustomerMerged | ProfileUpdated)]
    assert isinstance(told[2], CustomerMerged)
    assert isinstance(told[3], ProfileUpdated)
    assert (told[3].first_name, told[3].last_name, told[3].email) == ("Ana", "Diaz", "ana@example.com")
