"""The arbiter: what decides before what, and what transactional mail is spared."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notifications.policy import RULE, Answer, Ask, Limits, judge, lifted_by_consent, lot_of
from services.notifications.quiet import QuietHours
from services.notifications.records import Purpose
from tests.notifications.some import NOON

LIMITS = Limits(cap=3, window=timedelta(days=7), quiet=QuietHours(time(22), time(8)), holdout=100, control=10)
NIGHT = NOON.replace(hour=23)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})


def an_ask(**fields: Any) -> Ask:
    known: dict[str, Any] = {
        "purpose": Purpose.MARKETING,
        "address": "hash",
        "suppressed": "",
        "consent": True,
        "exit_reason": "",
        "due": NOON,
        "now": NOON,
        "valid_for": timedelta(hours=6),
        "recent": 0,
        "lot": 500,
        "common_lot": 500,
        "zone": "Europe/Madrid",
    }
    return Ask(**{**known, **fields})


WRONGS: list[tuple[str, dict[str, Any]]] = [
    ("no_address", {"address": ""}),
    ("suppressed", {"suppressed": "complaint"}),
    ("no_consent", {"consent": None}),
    ("purchased", {"exit_reason": "purchased"}),
    ("expired", {"due": NOON - timedelta(days=2)}),
    ("control_group", {"common_lot": 9}),
    ("holdout", {"lot": 99}),
    ("cooldown", {"cooling": True}),
    ("frequency_cap", {"recent": 3}),
    ("outranked", {"rivals": 3}),
]


@pytest.mark.parametrize("first", range(len(WRONGS)))
def test_the_first_no_decides_whatever_else_is_wrong(first: int) -> None:
    fields: dict[str, Any] = {"now": NOON}
    for _, wrong in WRONGS[first:]:
        fields |= wrong
    verdict = judge(an_ask(**fields), LIMITS)
    assert (verdict.answer, verdict.reason, verdict.rule) == (Answer.SKIP, WRONGS[first][0], RULE)


def test_withdrawn_consent_is_no_consent() -> None:
    assert judge(an_ask(consent=False), LIMITS).reason == "no_consent"


def test_at_night_marketing_waits_until_eight_and_does_not_expire_meanwhile() -> None:
    held = judge(an_ask(due=NIGHT, now=NIGHT), LIMITS)
    assert (held.answer, held.reason) == (Answer.WAIT, "quiet_hours")
    assert held.until == NIGHT.replace(day=11, hour=7)
    assert judge(an_ask(due=NIGHT, now=held.until), LIMITS).answer is Answer.SEND


def test_what_was_due_just_before_the_night_is_still_good_in_the_morning() -> None:
    due = NOON.replace(hour=20, minute=59)  # 21:59 in Madrid
    held = judge(an_ask(due=due, now=due + timedelta(minutes=2)), LIMITS)
    assert (held.answer, held.until) == (Answer.WAIT, NIGHT.replace(day=11, hour=7))
    assert judge(an_ask(due=due, now=held.until), LIMITS).answer is Answer.SEND
    last = NIGHT.replace(day=11, hour=12, minute=59)  # a minute of the evening and 5:59 of the day
    assert judge(an_ask(due=due, now=last), LIMITS).answer is Answer.SEND
    assert judge(an_ask(due=due, now=last + timedelta(seconds=1)), LIMITS).reason == "expired"


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given UTC here
    st.integers(0, 100 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from(ZONES),
)
def test_what_is_held_never_expires_while_it_is_held(due: datetime, late: timedelta, zone: str) -> None:
    ask = an_ask(due=due, now=due + late, zone=zone)
    verdict = judge(ask, LIMITS)
    if verdict.answer is Answer.WAIT:
        assert judge(replace(ask, now=verdict.until), LIMITS).answer is Answer.SEND


def test_transactional_mail_needs_no_consent_counts_against_no_cap_and_goes_at_night() -> None:
    ask = an_ask(purpose=Purpose.TRANSACTIONAL, consent=False, recent=99, lot=0, cooling=True, due=NIGHT, now=NIGHT)
    assert judge(ask, LIMITS).answer is Answer.SEND


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint"])
def test_suppression_binds_transactional_mail_and_no_opt_in_lifts_it(reason: str) -> None:
    assert judge(an_ask(purpose=Purpose.TRANSACTIONAL, suppressed=reason), LIMITS).reason == "suppressed"
    assert not lifted_by_consent(reason)


def test_an_address_that_unsubscribed_has_no_consent() -> None:
    assert judge(an_ask(suppressed="unsubscribed"), LIMITS).reason == "no_consent"


def test_an_unsubscription_is_lifted_by_a_later_opt_in() -> None:
    assert lifted_by_consent("unsubscribed")


def test_a_lot_is_the_same_for_ever_and_evenly_drawn() -> None:
    lots = [lot_of("acc", "abandoned_cart", f"cus_{number}") for number in range(4000)]
    assert lots[7] == lot_of("acc", "abandoned_cart", "cus_7")
    assert 340 <= sum(lot < 100 for lot in lots) <= 460


@given(
    st.builds(
        an_ask,
        consent=st.sampled_from([True, False, None]),
        recent=st.integers(0, 6),
        rivals=st.integers(0, 3),
        cooling=st.booleans(),
        suppressed=st.sampled_from(["", "complaint"]),
        exit_reason=st.sampled_from(["", "purchased"]),
        due=st.datetimes(NOON.replace(tzinfo=None), datetime(2026, 4, 1)).map(lambda at: at.astimezone(NOON.tzinfo)),  # noqa: DTZ001
        now=st.datetimes(NOON.replace(tzinfo=None), datetime(2026, 4, 1)).map(lambda at: at.astimezone(NOON.tzinfo)),  # noqa: DTZ001
    )
)
def test_marketing_never_goes_out_without_consent_above_the_cap_after_a_purchase_or_at_night(ask: Ask) -> None:
    verdict = judge(ask, LIMITS)
    assert verdict == judge(replace(ask), LIMITS)
    if verdict.answer is Answer.SEND:
        assert ask.consent
        assert ask.recent + ask.rivals < LIMITS.cap
        assert not ask.cooling
        assert not ask.exit_reason
        assert not ask.suppressed
        assert not LIMITS.quiet.covers(ask.now, ask.zone)
    else:
        assert verdict.reason
