"""Pairs of customers of whom it is decided that they are one, that they are not, or that one is forgotten."""

from datetime import timedelta

from tests.faults.posts import Post
from tests.faults.trade import FIRST_HOUR, GROUPS, Sale, Story, Trade, native

FIRST_BUYS, SECOND_BUYS = 4_000, 3_000


class Household:
    """Two who buy once each under names of their own, the first of them known first."""

    def __init__(self, number: int) -> None:
        self.first, self.second = f"h{number}a", f"h{number}b"
        self._number = number

    @property
    def sales(self) -> dict[str, Sale]:
        """What they buy, minor units."""
        return {
            f"{self.first}-order": Sale(self.first, FIRST_BUYS),
            f"{self.second}-order": Sale(self.second, SECOND_BUYS),
        }

    @property
    def story(self) -> Story:
        """Their purchases."""
        at = FIRST_HOUR + timedelta(hours=self._number % GROUPS)
        return [
            native(
                name,
                "purchase",
                at,
                {
                    "order_id": name,
                    "customer": {"id": sale.customer, "email": address_of(sale.customer)},
                    "lines": [{"id": "1", "product": "tea", "price": sale.net}],
                },
            )
            for name, sale in self.sales.items()
        ]

    @property
    def redemptions(self) -> list[Story]:
        """The first spends a quarter of what the purchase brought, the second half."""
        return [
            [Post("redeem", f"quarter-{self.first}", FIRST_BUYS // 400, self.first)],
            [Post("redeem", f"half-{self.second}", SECOND_BUYS // 200, self.second)],
        ]

    @property
    def forgotten(self) -> str:
        """Who is erased, '' for nobody."""
        return self.first if self._number % 3 == 2 else ""

    @property
    def decisions(self) -> Story:
        """By turns: a merge; a merge that is undone; an erasure, and a word from before it that comes late."""
        merge = Post("decide", f"merge-{self.first}", ("merge", "other", self.second), self.first)
        if self.forgotten:
            said = {"customer": {"id": self.first, "email": address_of(self.first), "first_name": "Ana"}}
            return [
                Post("decide", f"erase-{self.first}", ("erase", "", ""), self.first),
                native(f"late-{self.first}", "customer", FIRST_HOUR, said),
            ]
        if self._number % 3 == 1:
            return [merge, Post("decide", f"split-{self.first}", ("split", "merged", self.second), self.first)]
        return [merge]


class Neighbours(Trade):
    """A trade with so many households beside its customers."""

    def __init__(self, seed: int, customers: int, households: int) -> None:
        super().__init__(seed, customers)
        self.households = households
        for household in map(Household, range(households)):
            self.sales |= household.sales
            self.stories.append(household.story)
            self.redemptions += household.redemptions
            self.decisions.append(household.decisions)
            self.forgotten += [address_of(household.forgotten)] if household.forgotten else []


def address_of(customer: str) -> str:
    """Where somebody of a household is written to."""
    return f"{customer}@home.example"
