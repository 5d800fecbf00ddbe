"""What loyalty tells becomes mails: points about to expire, a higher tier."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.notifications.engine import Scene, react
from services.notifications.journeys import BY_NAME
from services.notifications.records import RunState
from shared.events import Event, Lane
from shared.events.loyalty import PointsExpired, PointsExpiring, PointsRedeemed, TierDowngraded, TierUpgraded
from tests.notifications.office import Office, html_of, text_of
from tests.notifications.some import NOON, a_contact, after, profile, told


def expiring(points: int = 1200, at: datetime = NOON) -> Event[Any]:
    """Loyalty says that points are about to expire."""
    return told(PointsExpiring(program="prg", points=points, expires_at=at + timedelta(days=30)), at)


def risen(tier: str = "Oro", at: datetime = NOON) -> Event[Any]:
    """Loyalty says that a member rose."""
    return told(TierUpgraded(program="prg", tier=tier, previous="Plata"), at)


async def test_who_has_points_about_to_expire_is_told_how_many_and_until_when(office: Office) -> None:
    await office.tell(expiring())
    await office.passes(hours=1)
    (mail,) = office.mails
    assert mail["Subject"] == "Tus 1.200 puntos caducan el 9 de abril de 2026"
    assert "1.200 de tus puntos en Casa Querencia" in text_of(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await office.passes(days=3)
    assert len(office.mails) == 1
    await office.is_balanced()


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (PointsRedeemed(program="prg", transaction="txn_1", points=100, balance=1100), "points_spent"),
        (PointsExpired(program="prg", points=1200, balance=0), "points_expired"),
    ],
)
async def test_who_used_their_points_in_the_night_is_not_told_an_old_number(
    village_office: Office, fact: Any, reason: str
) -> None:
    night = after(hours=11)
    await village_office.passes(hours=11)
    await village_office.tell(expiring(at=night))
    await village_office.tell(told(fact, night + timedelta(minutes=5)))
    await village_office.passes(days=1)
    assert village_office.mails == []
    assert await village_office.reasons() == ["quiet_hours", reason]


async def test_two_tiers_in_one_day_are_one_mail_about_the_last(office: Office) -> None:
    gold, silver = risen("<b>Oro</b>", after(minutes=3)), risen("Plata", after(minutes=1))
    await office.tell(profile(after(seconds=1), locale="en-GB"), gold, silver)
    await office.passes(days=1)
    (mail,) = office.mails
    assert mail["Subject"] == "You have reached <b>Oro</b> at Casa Querencia"
    assert "&lt;b&gt;Oro&lt;/b&gt;" in html_of(mail)


async def test_a_tier_that_is_lost_at_once_is_not_congratulated_on(village_office: Office) -> None:
    await village_office.tell(
        risen(), told(TierDowngraded(program="prg", tier="Plata", previous="Oro"), after(minutes=1))
    )
    await village_office.passes(hours=1)
    assert village_office.mails == []
    assert await village_office.reasons() == ["tier_lost"]


@pytest.mark.parametrize(("journey", "event"), [("points_expiring", expiring()), ("tier_upgraded", risen())])
def test_what_was_long_ago_or_before_the_journey_began_is_not_told(journey: str, event: Event[Any]) -> None:
    scene = Scene(a_contact(), {})
    assert react(BY_NAME[journey], replace(event, lane=Lane.HISTORY), scene) == ()
    (change,) = react(replace(BY_NAME[journey], since=after(hours=1)), event, scene)
    assert (change.run.state, change.run.reason, change.due) == (RunState.ENDED, "before_start", None)
