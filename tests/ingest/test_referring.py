"""Referral codes that visitors bring along: in an event's name or a page's address, told with a hash of the device."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.claims import BrowseClaim
from services.ingest.referring import code_in
from shared.events.ingest import ReferralClicked
from tests.ingest.shop import Shop

AT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"name": "referral_clicked", "properties": {"code": " ANA "}}, ("ANA", False)),
        ({"name": "Referral Clicked", "properties": {"referral_code": "ANA"}}, ("ANA", False)),
        ({"name": "Signed Up", "properties": {"referral_code": "ANA"}}, ("ANA", True)),
        ({"name": "Signed Up", "properties": {"code": "ANA"}}, ("", False)),
        ({"name": "Page", "properties": {"url": "https://shop.example/a?x=1&ref=ANA#top"}}, ("ANA", False)),
        ({"name": "Page", "properties": {"search": "?referral_code=ANA"}}, ("ANA", False)),
        ({"name": "Product Viewed", "product": "tea", "url": "https://shop.example/tea?ref=ANA"}, ("ANA", False)),
        ({"name": "Page", "properties": {"url": "https://[broken?ref=ANA"}}, ("", False)),
        ({"name": "Page", "properties": {"url": "https://shop.example/?referrer=ANA", "search": None}}, ("", False)),
        ({"name": "Coupon Entered", "properties": {"code": "ANA"}}, ("", False)),
        ({"name": "referral_clicked", "properties": {"code": "A" * 60}}, ("A" * 40, False)),
    ],
)
def test_a_code_is_found_where_it_may_be_and_nowhere_else(said: dict[str, Any], found: tuple[str, bool]) -> None:
    assert code_in(BrowseClaim(at=AT, **said)) == found


async def test_two_visits_by_one_device_have_one_hash_that_does_not_name_it(shop: Shop) -> None:
    for visitor, who in (("device-1", "7"), ("device-1", "7"), ("device-2", "8")):
        data = {"customer": {"anonymous_id": visitor, "id": who}, "name": "referral_clicked"}
        await shop.native("browse", {**data, "properties": {"code": "ANA"}})
    await shop.world.settle()
    told = [fact for fact in await shop.world.facts("ingest", ReferralClicked) if isinstance(fact, ReferralClicked)]
    assert [fact.code for fact in told] == ["ANA"] * 3
    devices = Counter(fact.device for fact in told)
    assert sorted(devices.values()) == [1, 2]
    assert not any("device" in device for device in devices)
