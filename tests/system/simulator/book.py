"""An independent model of the books: what was bought, given back and spent says what everybody must own."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

ZONE = ZoneInfo("Europe/Madrid")


class Sale(msgspec.Struct):
    """An order; minor units. `refunds` are its parts by their names."""

    name: str
    net: int
    paid_at: datetime
    refunds: dict[str, int] = {}

    @property
    def refunded(self) -> int:
        """Never more than was paid."""
        return min(self.net, sum(self.refunds.values()))

    @property
    def points(self) -> int:
        """A point for each full 1.00 that was kept."""
        return (self.net - self.refunded) // 100


class Owner(msgspec.Struct):
    """A person, or several of whom it is known by now that they are one."""

    sales: dict[str, Sale] = {}
    spent: int = 0

    @property
    def owns(self) -> int:
        """Points, pending ones included; below zero where more was given back than was left."""
        return sum(sale.points for sale in self.sales.values()) - self.spent

    @property
    def habit(self) -> tuple[int, int]:
        """(orders, days on which something was bought) of all that was not given back whole."""
        kept = [sale for sale in self.sales.values() if sale.refunded < sale.net]
        days: set[date] = {sale.paid_at.astimezone(ZONE).date() for sale in kept}
        return len(kept), len(days)

    def joins(self, other: "Owner") -> None:
        """Take over everything that another one had."""
        self.sales |= other.sales
        self.spent += other.spent
        other.sales, other.spent = {}, 0
