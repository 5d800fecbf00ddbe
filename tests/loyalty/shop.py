"""A shop in memory: facts and timers go through loyalty's judgement, and the books are checked after each step."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from msgspec.structs import replace

from services.loyalty import holds, merging, orders, redemptions
from services.loyalty.desk import Desk
from services.loyalty.handlers import rate_order
from services.loyalty.holders import MAIN
from services.loyalty.programmes import Programme, default_programme
from services.loyalty.records import Lot, Member
from services.loyalty.service import loyalty
from services.loyalty.tiers import Ladder, Tier
from services.loyalty.versions import Versions
from shared.events import Event, Fact
from shared.events.ingest import CustomerMerged, Line, Order, OrderPaid, OrderStatus
from shared.workset import Command, Due

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NEVER_MORE = 10_000


def programme(**changes: Any) -> Programme:
    """The default programme of an account in euros, changed as asked for."""
    made = default_programme("acc_1", currency="EUR", exponent=2, zone="Europe/Madrid", start=START)
    values = {name: getattr(made, name) for name in made.__struct_fields__}
    return Programme(**{**values, **changes})


def line(net: int, *, name: str = "l1", refunded: int = 0, **more: Any) -> Line:
    """A line of goods worth `net` minor units."""
    return Line(id=name, net=net, gross=net, refunded=refunded, product=more.pop("product", "p"), **more)


def order(name: str, *lines: Line, revision: int = 1, paid: datetime | None = START, **more: Any) -> Order:
    """An order at a revision."""
    return Order(
        id=f"ord_{name}",
        external_id=name,
        revision=revision,
        status=more.pop("status", OrderStatus.PAID),
        currency=more.pop("currency", "EUR"),
        lines=lines,
        placed_at=paid or START,
        paid_at=paid,
        first_recorded=paid or START,
        **more,
    )


AT_ONCE = programme(pending_days=0)
LADDER = Ladder(
    tiers=(Tier(name="low"), Tier(name="mid", threshold=100, percent=150), Tier(name="top", threshold=400)),
    window_days=60,
    grace_days=10,
)
CLIMB = programme(pending_days=0, expiry_months=None, ladder=LADDER)
STATES = st.builds(
    lambda net, share, status: (net, net * share // 100, status),
    st.integers(0, 30_000),
    st.integers(0, 100),
    st.sampled_from([OrderStatus.PAID, OrderStatus.PARTLY_REFUNDED, OrderStatus.CANCELLED, OrderStatus.DISPUTED]),
)


def a_life(name: str, states: list[tuple[int, int, OrderStatus]]) -> list[Order]:
    """The revisions of one order with one line."""
    return [
        order(name, line(net, refunded=back), revision=n, status=status)
        for n, (net, back, status) in enumerate(states, 1)
    ]


class Shop:
    """One account with one programme; business time moves by hand and fires what is due on the way."""

    def __init__(self, terms: Programme | None = None) -> None:
        self.terms = terms or programme()
        self.now = START
        self.members: dict[str, Member] = {}
        self.desk = self._new_desk()
        self.timers: dict[str, tuple[datetime, str, str]] = {}
        self.survivors: dict[str, str] = {}

    def _new_desk(self) -> Desk:
        desk = Desk(START)
        desk.versions = {"acc_1": Versions((self.terms,), (self.terms.start,))}
        return desk

    def adopt(self, **changes: Any) -> None:
        """From now on the programme is another version of itself."""
        versions = self.desk.versions["acc_1"]
        self.terms = replace(versions.bodies[-1], version=versions.bodies[-1].version + 1, **changes)
        self.desk.versions["acc_1"] = Versions((*versions.bodies, self.terms), (*versions.effective, self.now))

    def member(self, name: str = "ana") -> Member:
        """A member as she stands."""
        customer = f"cus_{name}"
        if ("acc_1", customer) not in self.desk.members:
            self.desk.members.loaded(("acc_1", customer), Member("acc_1", customer, self.now))
        return self.desk.members["acc_1", customer]

    def holder(self, name: str = "ana", wallet: str = MAIN) -> Member:
        """A member as the holder of a wallet's points; with nothing in it before anything was."""
        member = self.member(name)
        return self.desk.holder("acc_1", member.customer, wallet) or Member("acc_1", "", self.now)

    def lots(self, name: str = "ana", wallet: str = MAIN) -> list[Lot]:
        """Her open lots of a wallet."""
        return self.desk.open_lots(self.holder(name, wallet))

    def tell(self, what: Order, name: str = "ana", *, at: datetime | None = None) -> None:
        """An order came to a revision."""
        self._judge(rate_order, self._event(OrderPaid(order=what), name, at), name)

    def hears(self, fact: Fact, name: str = "ana", *, at: datetime | None = None) -> None:
        """Any other fact came in."""
        self._judge(loyalty.reactions[type(fact)], self._event(fact, name, at), name)

    def hears_order(self, what: Order, name: str = "ana") -> None:
        """An order came to a revision, with all that this means: codes, and points that paid for it."""
        self._judge(orders.take_order, self._event(OrderPaid(order=what), name, None), name)

    def merge(self, survivor: str, loser: str) -> None:
        """Two customers turned out to be one."""
        self.member(loser)
        event = self._event(CustomerMerged(loser=f"cus_{loser}"), survivor, None)
        self._judge(merging.merge_members, event, survivor)
        self.survivors[f"cus_{loser}"] = f"cus_{survivor}"

    def ask(self, act: Callable[[Command, Desk], Any], name: str = "ana", *, other: str = "") -> Any:
        """Somebody calls the API for her, and perhaps for somebody else too."""
        command = Command(
            account="acc_1",
            customer=f"cus_{name}",
            store="sto_1",
            id=uuid4(),
            time=self.now,
            other=f"cus_{other}" if other else "",
        )
        return self._judge(act, command, name)

    def grant(self, points: int, name: str = "ana", *, wallet: str = MAIN) -> None:
        """Points by hand."""
        self.ask(lambda command, desk: redemptions.adjust(command, desk, points, "gift", "ops", wallet=wallet), name)

    def redeem(self, points: int, name: str = "ana", *, wallet: str = MAIN) -> str:
        """Spend points; gives the id of the redemption."""
        done = self.ask(lambda command, desk: redemptions.redeem(command, desk, points, wallet=wallet), name)
        return str(done.id)

    def hold(self, points: int, name: str = "ana", *, minutes: int = 30, wallet: str = MAIN) -> str:
        """Set points aside; gives the id of the hold."""
        asked = holds.Checkout(points, 60 * minutes, wallet=wallet)
        done = self.ask(lambda command, desk: holds.hold(command, desk, asked), name)
        return str(done.id)

    def fires(self, kind: str, name: str = "ana") -> None:
        """A timer of hers is due now."""
        self.timers[f"{kind}:cus_{name}"] = (self.now, f"{kind}:cus_{name}", f"cus_{name}")
        self.passes(0)

    def passes(self, days: float) -> None:
        """Let business time go on, timers firing in the order they are due."""
        until = self.now + timedelta(days=days)
        for _ in range(NEVER_MORE):
            due = min((entry for entry in self.timers.values() if entry[0] <= until), default=None)
            if due is None:
                break
            self.now = max(self.now, due[0])
            self._fire(*due)
        self.now = until

    def facts(self, kind: type[Any]) -> list[Any]:
        """Facts of one kind told so far."""
        return [event.fact for event in self.desk.facts.rows if isinstance(event.fact, kind)]

    def _fire(self, moment: datetime, key: str, customer: str) -> None:
        del self.timers[key]
        kind, _, name = key.partition(":")
        due = Due(
            account="acc_1",
            customer=self.survivors.get(customer, customer),
            store="",
            kind=kind,
            name=name,
            due=moment,
            id=uuid4(),
            payload={},
        )
        self._judge(loyalty.timers[kind], due, due.customer.removeprefix("cus_"))

    def _event(self, fact: Any, name: str, at: datetime | None) -> Event[Any]:
        return Event(
            id=uuid4(),
            fact=fact,
            account="acc_1",
            store="sto_1",
            customer=f"cus_{name}",
            time=at or self.now,
            recorded=self.now,
        )

    def _judge(self, act: Callable[[Any, Desk], Any], work: Any, name: str) -> Any:
        self.member(name)
        self.desk.now = self.now
        self.desk.begin(work)
        try:
            answer = act(work, self.desk)
        except Exception:
            self.desk.discard()
            raise
        self.desk.keep()
        self._take_timers()
        self.check()
        return answer

    def _take_timers(self) -> None:
        for (_, key), timer in self.desk.timers.changed.items():
            if timer is None or timer.due is None:
                self.timers.pop(key, None)
            else:
                self.timers[key] = (timer.due, key, timer.customer)
        self.desk.timers.changed.clear()

    def check(self) -> None:
        """The books: every transaction sums to zero, balances and lots are what the entries say, no lot is negative."""
        sides: dict[tuple[str, str], int] = defaultdict(int)
        lots: dict[str, int] = defaultdict(int)
        transactions: dict[str, int] = defaultdict(int)
        owner = {row.id: row.customer for row in self.desk.transactions.rows}
        for entry in self.desk.entries.rows:
            transactions[entry.txn] += entry.points
            sides[owner[entry.txn], entry.side] += entry.points
            if entry.side in ("pending", "available"):
                lots[entry.lot] += entry.points
        assert not any(transactions.values())
        for member in self.desk.members.values():
            for side in ("pending", "available", "held"):
                assert getattr(member, side) == sides[member.customer, side], side
            ready = [lot.remaining for lot in self.desk.open_lots(member) if lot.state == "available"]
            assert member.debt >= 0
            assert sum(ready) == member.available + member.debt
            assert not (member.debt and ready), "debt is paid before anything can be spent"
        for lot in self.desk.lots.values():
            assert lot.remaining == lots[lot.id] >= 0
