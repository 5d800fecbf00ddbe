"""Every wallet sums to zero at every step, no lot is negative, and its balance is what an independent count says."""

from collections.abc import Sequence
from datetime import datetime

from tests.system.properties.seen import wallet_of
from tests.system.properties.stories import MOST_DEEDS, Deed
from tests.system.properties.telling import Person, Told, tell
from tests.system.properties.town import Town


class Holder:
    """A person and what their points must come to: kept purchases and gifts, less what was taken and spent."""

    def __init__(self, town: Town, person: Person, start: datetime) -> None:
        self.town = town
        self.person = person
        self.start = start
        self.kept: dict[int, int] = {}
        self.by_hand = 0
        self.spent: dict[str, int] = {}
        self.held: dict[str, int] = {}

    @property
    def owns(self) -> int:
        """A point for each full 1.00 kept, and the rest."""
        return sum(net // 100 for net in self.kept.values()) + self.by_hand - sum(self.spent.values())

    @property
    def stamps(self) -> int:
        """A stamp for each full 7.00 kept: nobody spends them, and what is done to points does nothing to them."""
        return sum(net // 700 for net in self.kept.values())

    async def does(self, deed: Deed, number: int) -> None:
        """Do it by HTTP, and count it if it was not refused."""
        match deed.what:
            case "buys":
                self.kept[number] = deed.amount
                await self._tells(Told("shopify", "order", number, number, deed.amount, number))
            case "returns" if any(self.kept.values()):
                order = max(self.kept, key=lambda each: self.kept[each])
                back = min(deed.amount, self.kept[order])
                self.kept[order] -= back
                await self._tells(Told("shopify", "refund", number, order, back, of=number))
            case "is given" | "is taken":
                await self._corrects(deed.amount if deed.what == "is given" else -deed.amount)
            case "redeems" | "holds":
                await self._draws(deed)
            case "reverses" if self.spent:
                name, _ = self.spent.popitem()
                await self.town.calls(f"/v1/redemptions/{name}/reverse")
            case "captures" | "releases" if self.held:
                await self._ends_hold(captured=deed.what == "captures")

    async def stands(self) -> None:
        """The wallet is what the count says, and adds up by itself."""
        wallet = await wallet_of(self.town, self.person)
        assert wallet["available"] + wallet["pending"] + wallet["held"] == self.owns, wallet
        assert wallet["held"] == sum(self.held.values())
        assert wallet["stamps"] == self.stamps

    async def _tells(self, told: Told) -> None:
        await tell(self.town.shop, self.person, self.start, told)

    async def _corrects(self, points: int) -> None:
        self.by_hand += points
        customer = await self.town.id_of(self.person)
        await self.town.calls(
            "/v1/transactions", {"customer": customer, "points": points, "reason": "why not", "actor": "ops"}
        )

    async def _draws(self, deed: Deed) -> None:
        customer = await self.town.id_of(self.person)
        path, book = ("/v1/redemptions", self.spent) if deed.what == "redeems" else ("/v1/holds", self.held)
        available = (await self.town.asks(f"/v1/members/{customer}"))["available"]
        points = max(1, available * deed.amount // 100)
        answer = await self.town.tries(path, {"customer": customer, "points": points})
        assert (answer.status_code == 201) == (points <= available), answer.text
        if points <= available:
            book[answer.json()["id"]] = points

    async def _ends_hold(self, *, captured: bool) -> None:
        name, points = self.held.popitem()
        done = await self.town.calls(f"/v1/holds/{name}/{'capture' if captured else 'release'}")
        if captured:
            self.spent[done["redemption"]] = points


async def add_up_at_every_step(town: Town, lives: list[list[Deed]], wait_days: int) -> None:
    """Step by step everybody does their next deed; in the end two wallets are merged."""
    start = town.noon()
    await town.points_wait(wait_days)
    holders = [Holder(town, town.newcomer(), start) for _ in lives]
    for holder in holders:
        await tell(town.shop, holder.person, start, Told("native", "identify"))
    await town.settles()
    for number in range(MOST_DEEDS):
        for holder, life in zip(holders, lives, strict=True):
            if number < len(life):
                await holder.does(life[number], number + 1)
        await _all_stand(town, holders)
    await _joined(town, holders[0], holders[1])


async def _all_stand(town: Town, holders: Sequence[Holder]) -> None:
    await town.settles()
    for holder in holders:
        await holder.stands()


async def _joined(town: Town, one: Holder, other: Holder) -> None:
    """Two wallets become one that holds what both held."""
    await town.calls(f"/v1/customers/{await town.id_of(one.person)}/merge", {"other": await town.id_of(other.person)})
    await town.settles()
    wallet = await wallet_of(town, one.person)
    assert wallet["available"] + wallet["pending"] + wallet["held"] == one.owns + other.owns
    assert wallet["stamps"] == one.stamps + other.stamps
    assert await wallet_of(town, other.person) == wallet
