"""Whoever falls silent is written to once: purchases by HTTP, days that pass, scoring's rescan, one mail."""

from collections import Counter
from typing import Any

from shared.events.scoring import SegmentEntered
from tests.system.high_street import Trader

DAYS_AT_MOST = 30


async def silence(trader: Trader, who: str, until: str) -> int:
    """Let days pass on which nobody buys until the API has somebody in a segment; how many."""
    for day in range(1, DAYS_AT_MOST):
        trader.later(days=1)
        await trader.world.settle()
        if (await scores(trader, who))["segment"] == until:
            await trader.world.passes(hours=2)
            return day
    raise AssertionError(f"{who} never becomes {until}")


async def scores(trader: Trader, who: str) -> Any:
    return await trader.asks(f"/v1/scores/{trader.name_of(who)}")


async def in_segment(trader: Trader, segment: str) -> set[str]:
    found = await trader.asks(f"/v1/segments/{segment}/members")
    return {row["customer"] for row in found["data"]}


async def won_back(trader: Trader, who: str) -> list[str]:
    """For which segments mails to win somebody back were sent, the newest first."""
    found = await trader.asks("/v1/messages", customer=trader.name_of(who), state="accepted")
    return [row["key"].split(":")[1] for row in found["data"] if row["journey"] == "win_back"]


async def refused(trader: Trader, who: str) -> list[str]:
    """Why mails to win somebody back were not sent, the newest first."""
    found = await trader.asks("/v1/decisions", customer=trader.name_of(who))
    return [row["reason"] for row in found["data"] if row["journey"] == "win_back"]


async def entered(trader: Trader) -> Counter[str]:
    """How often the bus was told that somebody entered each segment."""
    told = await trader.world.facts("scoring", SegmentEntered)
    return Counter(fact.segment for fact in told if isinstance(fact, SegmentEntered))


async def test_silence_is_told_day_by_day_and_answered_by_one_mail(trader: Trader) -> None:
    await trader.asked_consent("ana")
    await trader.sells_daily("ana", "bea", days=6)
    fresh = await scores(trader, "ana")
    assert fresh["segment"] == "loyal"
    await silence(trader, "ana", "at_risk")
    stale = await scores(trader, "ana")
    assert stale["scores"]["churn_risk"]["value"] > fresh["scores"]["churn_risk"]["value"]
    assert await in_segment(trader, "at_risk") == {stale["customer"], (await scores(trader, "bea"))["customer"]}
    assert (await won_back(trader, "ana"), await won_back(trader, "bea")) == (["at_risk"], [])
    assert await refused(trader, "bea") == ["no_consent"]
    await trader.asked_consent("bea")
    await silence(trader, "bea", "lapsed")
    assert (await won_back(trader, "ana"), await won_back(trader, "bea")) == (["at_risk"], ["lapsed"])
    assert await refused(trader, "ana") == ["cooldown"]
    assert await entered(trader) == dict.fromkeys(("new", "active", "loyal", "at_risk", "lapsed"), 2)
    assert (await trader.world.verify()).faults == []
