"""Anything may happen to two customers in any order: the books balance after every step."""

from functools import partial
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.loyalty import holds
from services.loyalty.expiry import Expiry
from services.loyalty.memberships import Membership
from services.loyalty.programmes import Transfer, Wallet
from services.loyalty.records import Note
from services.loyalty.redemptions import adjust, reverse
from services.loyalty.rules import FirstOrder
from services.loyalty.rules.spend import Spend
from services.loyalty.tiers import Ladder
from services.loyalty.transfers import transfer
from shared.errors import Refused
from shared.events.ingest import Order, OrderStatus
from tests.loyalty.shop import LADDER, STATES, Shop, line, order, programme

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 3), STATES),
        st.tuples(st.just("spend"), st.integers(1, 200)),
        st.tuples(st.just("back"), st.integers(0, 5)),
        st.tuples(st.just("hold"), st.integers(1, 200)),
        st.tuples(st.just("end"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("grant"), st.integers(-150, 150).filter(bool)),
        st.tuples(st.just("pass"), st.integers(1, 200)),
        st.tuples(st.just("merge"), st.integers(0, 1)),
        st.tuples(st.just("move"), st.integers(0, 3)),
        st.tuples(st.just("give"), st.integers(1, 150), st.booleans()),
        st.tuples(st.just("deliver"), st.integers(0, 3)),
    ),
    max_size=25,
)


STAMPS = Wallet(name="stamps", pending_days=5, expiry_months=1, transfer=Transfer())
TERMS: list[dict[str, Any]] = [
    {},
    {"expiry": Expiry(mode="inactivity", months=2)},
    {"expiry": Expiry(mode="period_end", per="month", starts="activation"), "reinstate_days": 10},
    {"pending_until": "delivered", "cancel_days": 40},
    {"memberships": (Membership(name="club", tier="mid", products=frozenset({"p"}), months=1, earns=True),)},
    {"ladder": Ladder(tiers=LADDER.tiers, by="spend", window="calendar", downgrade="one_step", warn_days=9)},
    {"wallets": (STAMPS,), "rules": (Spend(), Spend(name="stamp", per=500, wallet="stamps"))},
    {
        "wallets": (replace(STAMPS, expiry=Expiry(mode="inactivity", months=2), debt="clamp", tiered=True),),
        "rules": (Spend(), Spend(name="stamp", per=70, wallet="stamps"), FirstOrder(award=9, wallet="stamps")),
    },
]


class Life:
    """Two customers of one shop, to whom anything may happen in any order."""

    def __init__(self, policy: str, pending: int, terms: dict[str, Any]) -> None:
        given_terms = {"ladder": LADDER, "transfer": Transfer(), **terms}
        self.shop = Shop(programme(pending_days=pending, debt=policy, **given_terms))
        self.wallets = ["points", *(wallet.name for wallet in self.shop.terms.wallets)]
        self.names = ["ana", "eva"]
        self.orders: dict[int, Order] = {}
        self.owner: dict[int, str] = {}
        self.redemptions: list[tuple[str, str]] = []
        self.holds: list[tuple[str, str]] = []

    def order(self, number: int, state: tuple[int, int, OrderStatus]) -> None:
        net, back, status = state
        last = self.orders.get(number)
        revision, paid = (1, self.shop.now) if last is None else (last.revision + 1, last.paid_at)
        owner = self.owner.setdefault(number, self.names[number % len(self.names)])
        made = order(str(number), line(net, refunded=back), revision=revision, status=status, paid=paid)
        self.orders[number] = made
        self.shop.tell(made, owner)

    def spend(self, points: int) -> None:
        for name, wallet in product(self.names, self.wallets):
            try:
                self.redemptions.append((name, self.shop.redeem(points, name, wallet=wallet)))
            except Refused as refused:
                assert refused.code == "insufficient_points"  # noqa: PT017 - a refusal is one of two good outcomes

    def back(self, number: int) -> None:
        if number < len(self.redemptions):
            name, redemption = self.redemptions.pop(number)
            name = name if name in self.names else self.names[0]
            self.shop.ask(lambda command, desk: reverse(command, desk, redemption), name)

    def hold(self, points: int) -> None:
        for name, wallet in product(self.names, self.wallets):
            try:
                self.holds.append((name, self.shop.hold(points, name, minutes=60 * 24, wallet=wallet)))
            except Refused as refused:
                assert refused.code == "insufficient_points"  # noqa: PT017 - a refusal is one of two good outcomes

    def end(self, number: int, paid: bool) -> None:
        if number < len(self.holds):
            name, hold = self.holds.pop(number)
            name = name if name in self.names else self.names[0]
            act = holds.capture if paid else holds.release
            try:
                done = self.shop.ask(lambda command, desk: act(command, desk, hold), name)
            except Refused as refused:
                assert refused.code == "hold_closed"  # noqa: PT017 - its time may have been over before
                return
            if done.redemption:
                self.redemptions.append((name, done.redemption))

    def grant(self, points: int) -> None:
        for wallet in self.wallets:
            give = partial(adjust, points=points, reason="why", actor="who", wallet=wallet)
            self.shop.ask(give, self.names[0])

    def merge(self, survivor: int) -> None:
        if len(self.names) == 2:
            loser = self.names.pop(1 - survivor)
            self.shop.merge(self.names[0], loser)
            self.owner = dict.fromkeys(self.owner, self.names[0])
            for wallet in self.wallets:
                gone = self.shop.holder(loser, wallet)
                assert (gone.available, gone.pending, gone.held, gone.debt) == (0, 0, 0, 0)

    def give(self, points: int, there: bool) -> None:
        if len(self.names) == 2:
            giver, taker = self.names if there else self.names[::-1]
            self.shop.member(taker)
            for wallet in self.wallets:
                give = partial(transfer, points=points, note=Note("", ""), wallet=wallet)
                try:
                    self.shop.ask(give, giver, other=taker)
                except Refused as refused:
                    assert refused.code == "insufficient_points"  # noqa: PT017 - a refusal is one of two good outcomes

    def deliver(self, number: int) -> None:
        if number in self.orders:
            last = self.orders[number]
            self.orders[number] = replace(last, revision=last.revision + 1, delivered_at=self.shop.now)
            self.shop.tell(self.orders[number], self.owner[number])

    def move(self, number: int) -> None:
        if number in self.orders and len(self.names) == 2:
            self.owner[number] = self.names[1 - self.names.index(self.owner[number])]
            again = replace(self.orders[number], revision=self.orders[number].revision + 1)
            self.orders[number] = again
            self.shop.tell(again, self.owner[number])


@given(
    STEPS,
    st.sampled_from(["allow_negative", "clamp", "pending_first"]),
    st.sampled_from([0, 14]),
    st.sampled_from(TERMS),
)
def test_the_books_balance_after_every_step_of_any_life(
    steps: list[Any], policy: str, pending: int, terms: dict[str, Any]
) -> None:
    life = Life(policy, pending, terms)
    for what, *how in steps:
        if what == "pass":
            life.shop.passes(days=how[0])
        else:
            getattr(life, what)(*how)
