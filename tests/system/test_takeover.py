"""Whoever has a browser can say that they are somebody else: it gets them nothing of that person's."""

from email import message_from_bytes
from email.policy import default
from typing import Any

from tests.system.high_street import Trader, person

ANA, EVE = person("ana"), person("eve")
MAIL = {"email": ANA["email"]}


def claims() -> list[dict[str, Any]]:
    """What a browser may say to be taken for Ana, who has bought, or to join her with Eve."""
    told = {"userId": "ana", "anonymousId": "eves-browser"}
    return [
        {"type": "identify", **told, "traits": {"email": EVE["email"], "firstName": "Eve", "phone": "+34600000007"}},
        {"type": "identify", **told, "traits": {**MAIL, "locale": "pt", "timezone": "Asia/Tokyo"}},
        {"type": "identify", "userId": "eve", "anonymousId": "eves-browser", "traits": MAIL},
        {"type": "identify", "anonymousId": "eves-telephone", "traits": MAIL},
        {"type": "identify", "userId": ANA["email"], "anonymousId": "eves-browser", "traits": {"id": "eve"}},
        {"type": "alias", "previousId": "ana", "userId": "eve"},
        {"type": "alias", "previousId": "eve", "userId": "ana"},
        {"type": "alias", "previousId": "eves-browser", "userId": "ana"},
        {"type": "group", **told, "groupId": "eve"},
        {"type": "page", "userId": "eve", "anonymousId": "eves-browser", "context": {"traits": MAIL}},
        {"type": "track", **told, "event": "Order Completed", "properties": {"order_id": "e-1", "total": 9}},
        {"type": "track", **told, "event": "Signed Up", "properties": {"email": EVE["email"]}},
    ]


async def said_by_browser(trader: Trader) -> None:
    """Every claim in a call of its own; and what only a store's server may say is refused."""
    for claim in claims():
        assert (await trader.browses(claim)).status_code == 200, claim
    event = {"specversion": "1.0", "source": "eve", "time": trader.world.now.isoformat()}
    headers = {"authorization": f"Bearer {trader.browser_key}"}
    for kind, data in (
        ("customer", {"customer": {**ANA, "email": EVE["email"]}}),
        ("consent", {"customer": ANA, "channel": "email", "granted": False}),
        ("purchase", {"order_id": "e-2", "customer": ANA, "lines": [{"price": 1}]}),
        ("refund", {"order_id": "1", "refund_id": "e", "amount": 100}),
    ):
        answer = await trader.world.post(
            "/v1/events", {**event, "id": kind, "type": kind, "data": data}, headers=headers
        )
        assert answer.status_code in {200, 403}, answer.text
    await trader.world.settle()


async def refused_to_browser(trader: Trader, ana: str) -> None:
    """A browser key neither reads nor spends, makes no tokens, merges nobody."""
    for path in (f"/v1/members/{ana}", f"/v1/customers/{ana}", f"/v1/contacts/{ana}", f"/v1/messages?customer={ana}"):
        answer = await trader.world.get(path, headers={"authorization": f"Bearer {trader.browser_key}"})
        assert answer.status_code == 403, path
    for path, body in (
        ("/v1/redemptions", {"customer": ana, "points": 10}),
        ("/v1/customer-tokens", {"customer": trader.name_of("ana")}),
        (f"/v1/customers/{ana}/merge", {"other": "cus_1"}),
    ):
        assert (await trader.calls(path, body, by=trader.browser_key)).status_code == 403, path


async def told_of(trader: Trader, who: str) -> dict[str, Any]:
    """All that is known of a customer, without the browsers they were seen with."""
    name = trader.name_of(who)
    known = await trader.asks(f"/v1/customers/{name}")
    keys = [key for key in known["keys"] if key["kind"] != "anonymous"]
    return {
        "customer": {**known, "keys": keys},
        "wallet": await trader.asks(f"/v1/members/{name}"),
        "contact": await trader.asks(f"/v1/contacts/{name}"),
    }


def letters(trader: Trader) -> list[tuple[str, str]]:
    """(to, subject) of every mail."""
    folder = trader.world.settings.data_dir / "maildir" / "new"
    read = [message_from_bytes(letter.read_bytes(), policy=default) for letter in folder.iterdir()]
    return sorted((str(mail["To"]), str(mail["Subject"])) for mail in read)


async def test_a_browser_that_says_it_is_a_member_sees_spends_joins_and_redirects_nothing(trader: Trader) -> None:
    await trader.sells("ana", price=20_000)
    await trader.tells("customer", customer=EVE)
    await trader.asked_consent("ana")
    await trader.world.passes(days=15)
    ana, eve = await told_of(trader, "ana"), await told_of(trader, "eve")
    assert (ana["wallet"]["available"], eve["wallet"]["available"]) == (200, 0)
    sent = letters(trader)
    await said_by_browser(trader)
    await refused_to_browser(trader, ana["customer"]["id"])
    assert (await told_of(trader, "ana"), await told_of(trader, "eve")) == (ana, eve)

    hers = await trader.token_of("eve")
    assert (await trader.asks("/v1/members/me", by=hers))["customer"] == eve["customer"]["id"]
    spent = await trader.calls("/v1/redemptions", {"points": 10}, by=hers)
    assert (spent.status_code, spent.json()["code"]) == (409, "insufficient_points")
    for other in (ana["customer"]["id"], trader.name_of("ana")):
        found = await trader.world.get(f"/v1/members/{other}", headers={"authorization": f"Bearer {hers}"})
        assert found.status_code == 403

    await trader.tells("customer", customer={"id": "eve-2", "anonymous_id": "eves-telephone"})
    await trader.world.settle()
    assert (await trader.asks(f"/v1/members/{trader.name_of('eve-2')}"))["available"] == 0
    await trader.sells("ana", price=1_000)
    await trader.world.passes(hours=2)
    new = letters(trader)
    for one in sent:
        new.remove(one)
    assert new
    assert {to for to, _ in new} == {ANA["email"]}
    assert (await trader.world.verify()).faults == []
