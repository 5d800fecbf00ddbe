"""Journeys: what starts, moves, ends and never starts; the same whatever order the facts come in."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notifications.contacts import with_order
from services.notifications.engine import Scene, advance, due, react
from services.notifications.journeys import BY_NAME, JOURNEYS
from services.notifications.records import Contact, Run, RunState
from shared.events import Event, Lane
from shared.events.ingest import OrderCancelled, OrderPlaced, OrderStatus
from tests.notifications.some import (
    NOON,
    a_contact,
    after,
    cart,
    emptied,
    ended,
    filled,
    lapsed,
    order,
    paid,
    placed,
    rated,
    told,
)

CART, THANKS, BACK = (journey.name for journey in JOURNEYS[:3])


class Play:
    """Runs of one customer, moved by facts alone."""

    def __init__(self, *events: Event[Any]) -> None:
        self.contact: Contact = a_contact()
        self.runs: dict[tuple[str, str], Run] = {}
        self.dropped: list[tuple[str, str]] = []
        self.tell(events)

    def tell(self, events: Iterable[Event[Any]]) -> None:
        for event in events:
            if isinstance(event.fact, OrderPlaced):
                self.contact = with_order(self.contact, event.fact.order, event.store)
            for journey in JOURNEYS:
                known = {key: run for (name, key), run in self.runs.items() if name == journey.name}
                for change in react(journey, event, Scene(self.contact, known)):
                    self.runs[journey.name, change.run.key] = change.run
                    self.dropped += change.dropped

    def due(self, journey: str, key: str) -> datetime | None:
        return due(BY_NAME[journey], self.runs[journey, key])

    def send(self, journey: str, key: str, at: datetime) -> None:
        self.runs[journey, key] = advance(BY_NAME[journey], self.runs[journey, key], at, sent=True).run

    def standing(self) -> dict[tuple[str, str], Any]:
        return {
            key: (run.state is RunState.RUNNING, self.due(*key), run.content if run.state is RunState.RUNNING else None)
            for key, run in self.runs.items()
        }


def test_three_steps_count_from_the_last_change() -> None:
    play = Play(filled(), filled(revision=2, at=after(minutes=5)), filled(revision=3, at=after(minutes=10)))
    assert len(play.runs) == 1
    dues = []
    for _ in range(3):
        at = play.due(CART, "cart_1")
        assert at is not None
        dues.append(at - after(minutes=10))
        play.send(CART, "cart_1", at)
    assert dues == [timedelta(hours=2), timedelta(days=1), timedelta(days=3)]
    assert play.runs[CART, "cart_1"].state is RunState.DONE
    assert play.due(CART, "cart_1") is None


def test_a_change_after_the_first_mail_moves_the_second_and_repeats_nothing() -> None:
    play = Play(filled())
    play.send(CART, "cart_1", after(hours=2))
    play.tell([filled(revision=2, at=after(hours=5))])
    assert play.runs[CART, "cart_1"].position == 1
    assert play.due(CART, "cart_1") == after(hours=5, days=1)


def test_a_change_after_the_last_mail_starts_nothing_anew() -> None:
    play = Play(filled())
    for _ in range(3):
        play.send(CART, "cart_1", after(days=3))
    play.tell([filled(revision=2, at=after(days=4))])
    assert play.due(CART, "cart_1") is None


def test_of_two_carts_only_the_bought_one_ends() -> None:
    play = Play(filled("a"), filled("b"), placed(cart="a", at=after(hours=1)))
    assert (play.due(CART, "a"), play.due(CART, "b")) == (None, after(hours=2))
    assert play.dropped == [("cart_reminder", "purchased")]


def test_an_order_without_a_cart_ends_all_that_were_open_then_and_none_opened_later() -> None:
    play = Play(filled("a"), filled("b", at=after(hours=2)), placed(at=after(hours=1)))
    assert (play.due(CART, "a"), play.due(CART, "b")) == (None, after(hours=4))


def test_a_cart_heard_of_after_its_purchase_never_starts() -> None:
    play = Play(placed(cart="a", at=after(hours=1)), filled("a"), filled("a", revision=9, at=after(minutes=59)))
    assert play.due(CART, "a") is None


def test_what_is_put_into_a_bought_cart_later_is_a_new_episode() -> None:
    play = Play(filled("a"))
    play.send(CART, "a", after(hours=2))
    first = play.runs[CART, "a"].subject
    play.tell([placed(cart="a", at=after(hours=3)), filled("a", revision=2, at=after(hours=5))])
    assert play.due(CART, "a") == after(hours=7)
    assert play.runs[CART, "a"].subject != first


def test_ingest_ends_a_cart_and_may_open_it_again() -> None:
    play = Play(filled("a"), ended("a", at=after(hours=1)))
    assert play.due(CART, "a") is None
    play.tell([filled("a", revision=3, at=after(hours=2))])
    assert play.due(CART, "a") == after(hours=4)


def test_an_emptied_cart_ends_and_starts_again_when_refilled() -> None:
    play = Play(filled(), emptied(at=after(minutes=30)))
    assert play.dropped == [("cart_reminder", "empty_cart")]
    play.tell([filled(revision=3, at=after(hours=1))])
    assert play.due(CART, "cart_1") == after(hours=3)


def test_a_purchase_told_after_the_first_mail_is_flagged_and_stops_the_rest() -> None:
    play = Play(filled())
    play.send(CART, "cart_1", after(hours=2))
    play.tell([placed(cart="cart_1", at=after(hours=1))])
    assert play.dropped == [("cart_help", "purchased"), ("cart_reminder", "late_purchase")]


def test_imported_carts_orders_and_lapses_start_nothing() -> None:
    past = Lane.HISTORY
    play = Play(
        filled(lane=past),
        replace(emptied(), lane=past),
        paid(lane=past),
        replace(lapsed(), lane=past),
        replace(rated(), lane=past),
    )
    assert play.runs == {}


def test_a_late_edit_of_an_old_order_or_a_test_order_thanks_nobody() -> None:
    late = paid("old", at=after(days=9), first_recorded=after(days=9))
    late = replace(late, fact=replace(late.fact, order=replace(late.fact.order, placed_at=NOON)))
    play = Play(late, paid("test", test=True))
    assert [run.reason for run in play.runs.values()] == ["told_late", "test_order"]
    assert play.due(THANKS, "old") is None


def test_an_order_placed_before_the_journey_began_keeps_its_verdict() -> None:
    journey, contact = BY_NAME[THANKS], a_contact()
    early = paid()
    run = react(replace(journey, since=after(hours=1)), early, Scene(contact, {}))[0].run
    assert run.reason == "before_start"
    later = replace(early, fact=replace(early.fact, order=order(revision=5, status=OrderStatus.PAID, paid_at=NOON)))
    change = react(journey, later, Scene(contact, {run.key: run}))[0]
    assert (change.run.state, change.due) == (RunState.ENDED, None)


def test_thanks_wait_ten_minutes_for_the_points_and_go_at_once_when_they_are_known() -> None:
    play = Play(paid())
    assert play.due(THANKS, "ord_1") == after(minutes=10)
    play.tell([rated(points=25, at=after(minutes=1))])
    assert play.due(THANKS, "ord_1") == NOON
    assert play.runs[THANKS, "ord_1"].content.points == 25


def test_points_may_be_known_before_the_payment() -> None:
    assert Play(rated(), paid()).due(THANKS, "ord_1") == NOON


def test_a_cancelled_order_is_not_thanked_for_whichever_is_told_first() -> None:
    undone = told(OrderCancelled(order=order(revision=3, status=OrderStatus.CANCELLED, paid_at=NOON)))
    for events in ([paid(), undone], [undone, paid()]):
        assert Play(*events).due(THANKS, "ord_1") is None


def test_win_back_ends_with_an_order_or_when_the_customer_is_active_again() -> None:
    assert Play(lapsed()).due(BACK, "cus_ana:lapsed:20260310T120000") == after(hours=1)
    for event in (placed(at=after(minutes=5)), lapsed(after(minutes=5), segment="active")):
        assert [run.state for (name, _), run in Play(lapsed(), event).runs.items() if name == BACK] == [RunState.ENDED]


def test_an_order_that_moves_to_another_customer_takes_its_thanks_along() -> None:
    play = Play(paid(), paid(revision=3, of="cus_bea"))
    assert play.runs[THANKS, "ord_1"].customer == "cus_bea"


def test_who_is_under_way_stays_on_the_version_they_entered() -> None:
    journey = BY_NAME[CART]
    newer = replace(journey, version=2, steps=journey.steps[:1], older=(journey,))
    run = Play(filled()).runs[CART, "cart_1"]
    second = advance(newer, run, after(hours=2), sent=True)
    assert second.due == after(days=1)


moments = st.integers(0, 300).map(lambda minutes: after(minutes=minutes))


@st.composite
def histories(draw: st.DrawFn) -> list[Event[Any]]:
    """Facts of one customer; revisions of a thing rise with time, as their owner numbers them."""
    events: list[Event[Any]] = []
    for key in ("a", "b"):
        times = sorted(draw(st.lists(moments, max_size=4, unique=True)))
        for revision, at in enumerate(times, start=1):
            make = draw(st.sampled_from([filled, filled, emptied, ended]))
            events.append(make(key, revision, at))
    for number in range(draw(st.integers(0, 2))):
        at, link = draw(moments), draw(st.sampled_from(["", "a", "b"]))
        events += [placed(f"ord_{number}", at, cart=link), paid(f"ord_{number}", at, cart=link)]
        events.append(rated(f"ord_{number}", 5, at))
    return events


@given(histories(), st.randoms(use_true_random=False))
def test_any_permutation_and_duplication_ends_in_the_same_runs(events: list[Event[Any]], random: Any) -> None:
    shuffled = events + random.sample(events, len(events) // 2)
    random.shuffle(shuffled)
    assert Play(*shuffled).standing() == Play(*events).standing()


@given(histories())
def test_a_bought_cart_has_nothing_due(events: list[Event[Any]]) -> None:
    play = Play(*events)
    for event in events:
        if isinstance(event.fact, OrderPlaced):
            for (name, key), run in play.runs.items():
                mine = event.fact.order.cart in {key, ""} and run.clock <= event.fact.order.placed_at
                if name == CART and mine:
                    assert play.due(CART, key) is None


def test_the_cart_of_a_run_is_the_newest() -> None:
    play = Play(filled(revision=2, at=after(minutes=9)), filled(revision=1))
    assert play.runs[CART, "cart_1"].content.cart == cart(revision=2, at=after(minutes=9))
