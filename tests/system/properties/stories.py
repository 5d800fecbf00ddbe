"""Small histories of one customer, drawn so that they shrink to what can be read."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from tests.system.properties.telling import Told, Via, What

CHANNELS: tuple[Via, ...] = ("native", "segment", "shopify")
RANK = {"segment": 1, "native": 2, "shopify": 3}
REMINDER_MINUTES = 120  # the first reminder of a cart comes so long after its last change
LATEST_MINUTE = REMINDER_MINUTES - 10
A_DAY = 24 * 60
EARLIER_DAYS = 3
minutes = st.integers(0, LATEST_MINUTE - 10)
small = st.integers(1, 40).map(lambda euros: euros * 100 + 50)
TIER_REACHED = 60_000
MOST_DEEDS = 8


@st.composite
def an_order(draw: st.DrawFn, number: int, carts: int) -> list[Told]:
    """An order through one channel or several, perhaps edited, refunded in parts or cancelled."""
    placed = draw(minutes) - A_DAY * draw(st.integers(0, EARLIER_DAYS))
    price, cart = draw(small), draw(st.integers(0, carts))
    told = []
    for via in draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True)):
        base = Told(via, "order", placed, number, price, placed, cart)
        if via == "shopify" and draw(st.booleans()):
            told += [base._replace(what="pending"), base._replace(minute=placed + 1)]
        else:
            told.append(base)
        if via != "segment" and draw(st.booleans()):
            told.append(base._replace(minute=placed + 3, amount=draw(small)))
    told += draw(refunds_of(number, told, price))
    if draw(st.integers(0, 4)) == 4:
        told.append(told[0]._replace(what="cancel", minute=placed + 9))
    return told


@st.composite
def refunds_of(draw: st.DrawFn, number: int, told: Sequence[Told], price: int) -> list[Told]:
    """Parts of an order that are given back, told by a channel that told of the order."""
    via, placed = draw(st.sampled_from([one.via for one in told])), told[0].placed
    parts = draw(st.lists(st.integers(1, price), max_size=2))
    return [Told(via, "refund", placed + 5, number, part, of=at) for at, part in enumerate(parts, start=1)]


@st.composite
def a_cart(draw: st.DrawFn, number: int) -> list[Told]:
    """A cart that is changed, perhaps emptied, through one channel."""
    via: Via = draw(st.sampled_from(CHANNELS))
    if via == "segment":
        return [Told(via, "added", draw(minutes), number, draw(small), copy=n) for n in range(draw(st.integers(1, 2)))]
    amounts = st.one_of(small, st.just(0))
    return [Told(via, "cart", draw(minutes), number, draw(amounts)) for _ in range(draw(st.integers(1, 2)))]


@st.composite
def a_life(draw: st.DrawFn) -> list[Told]:
    """Consent, a visit that becomes known, carts and orders of one person, within two hours."""
    carts, orders = draw(st.integers(0, 2)), draw(st.integers(1, 2))
    told = [Told("native", "yes"), Told(draw(st.sampled_from(("native", "segment"))), "identify", 1)]
    for number in range(1, carts + 1):
        told += draw(a_cart(number))
    for number in range(1, orders + 1):
        told += draw(an_order(number, carts))
    return told


@st.composite
def a_big_life(draw: st.DrawFn) -> list[Told]:
    """Two orders of which the one that is paid first reaches a tier; nothing takes points back in between."""
    told = [Told("native", "yes")]
    for number in (1, 2):
        placed = draw(minutes)
        vias = draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True))
        told += [Told(via, "order", placed, number, TIER_REACHED, placed) for via in vias]
    return told


def first_paid(told: Sequence[Told]) -> list[int]:
    """Order numbers in the order of first payments: an order is paid once who knows most of its content says so."""
    paid: list[int] = []
    content: dict[int, int] = {}
    payment: dict[int, int] = {}
    for one in told:
        rank = RANK[one.via]
        if one.what in {"order", "pending"} or (one.what, one.via) == ("cancel", "shopify"):
            content[one.about] = max(rank, content.get(one.about, 0))
        if one.what == "order" or (one.what, one.via) == ("cancel", "shopify"):
            payment[one.about] = max(rank, payment.get(one.about, 0))
        number = one.about
        if number in content and payment.get(number, 0) >= content[number] and number not in paid:
            paid.append(number)
    return paid


@st.composite
def two_tellings(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """One life told in two orders, in part twice; every other time orders are first paid in the same order."""
    told = draw(st.one_of(a_life(), a_life(), a_big_life()))
    again = draw(st.lists(st.sampled_from(told), max_size=3))
    anew = [one._replace(copy=9) if one.what in {"order", "cart", "refund", "yes"} else one for one in again]
    one = draw(st.permutations([*told, *again]))
    two = draw(st.permutations([*told, *anew]))
    if first_paid(one) != first_paid(two) and draw(st.booleans()):
        last = first_paid(one)[-1]
        two = sorted(two, key=lambda each: each.what in {"order", "pending", "cancel"} and each.about == last)
    return one, two


@st.composite
def two_streams(draw: st.DrawFn) -> list[Told]:
    """What somebody does under two names that do not know of each other, and the word that they are one person."""
    told = [
        Told("native", "yes", by="known"),
        Told("native", "identify", 1, by=draw(st.sampled_from(("mail", "browser")))),
    ]
    stranger = told[1].by
    for by in ("known", stranger):
        number = 1 if by == "known" else 2
        if draw(st.integers(0, 3)):
            told += [one._replace(by=by) for one in draw(a_cart(number)) if (one.via, by) != ("shopify", "browser")]
        if draw(st.integers(0, 3)):
            placed = draw(minutes) - A_DAY * draw(st.integers(0, EARLIER_DAYS))
            bought = Told(
                "native", "order", placed, number, draw(small), placed, draw(st.sampled_from((0, number))), by
            )
            told += [bought, *draw(refunds_of(number, [bought], bought.amount))]
    told = draw(st.permutations(told))
    at = draw(st.sampled_from((len(told), len(told) // 2, 0)))
    told.insert(at, Told(draw(st.sampled_from(("native", "segment"))), "identify", draw(minutes), by="both"))
    return told


@st.composite
def a_cart_left(draw: st.DrawFn) -> list[Told]:
    """A cart, perhaps changed, and perhaps a purchase that ends it before the first reminder is due."""
    changes = sorted(draw(st.lists(st.integers(0, 60), min_size=1, max_size=2, unique=True)))
    via: Via = draw(st.sampled_from(("native", "shopify", "segment")))
    what: What = "added" if via == "segment" else "cart"
    told = [Told(via, what, minute, 1, draw(small), copy=minute) for minute in changes]
    if draw(st.integers(0, 3)):
        bought = draw(st.integers(changes[-1], changes[-1] + REMINDER_MINUTES - 1))
        named = draw(st.sampled_from((0, 1)))
        told.append(Told(draw(st.sampled_from(CHANNELS)), "order", bought, 1, draw(small), bought, named))
    return told


class GivenBack(NamedTuple):
    """An order of `price` that is given back in `parts`, after `gift` points by hand and a share of all was spent."""

    via: Via
    price: int
    parts: tuple[int, ...]
    gift: int
    spent_percent: int


@st.composite
def an_order_given_back(draw: st.DrawFn) -> GivenBack:
    """Any split of a refund, up to all of the order, through any channel."""
    price = draw(st.integers(100, 40_000))
    parts = draw(st.lists(st.integers(1, price), min_size=2, max_size=4))
    while sum(parts) > price:
        parts = [part // 2 for part in parts if part > 1]
    gift, spent = draw(st.integers(0, 200)), draw(st.sampled_from((0, 40, 100)))
    return GivenBack(draw(st.sampled_from(CHANNELS)), price, tuple(parts), gift, spent)


class Correspondence(NamedTuple):
    """Words on consent and carts in the order they are told, and a last word told (`late`) when a mail may be out."""

    told: tuple[Told, ...]
    late: Literal["", "yes", "no"]


@st.composite
def a_correspondence(draw: st.DrawFn) -> Correspondence:
    """Some carts, and words on consent told in any order and in part twice."""
    either: st.SearchStrategy[What] = st.sampled_from(draw(st.sampled_from((("yes",), ("yes", "no")))))
    words = [Told("native", draw(either), draw(minutes), copy=copy) for copy in range(draw(st.integers(0, 4)))]
    carts = [Told("native", "cart", draw(minutes), number, draw(small)) for number in range(1, draw(st.integers(3, 5)))]
    again = draw(st.lists(st.sampled_from([*words, *carts]), max_size=2))
    told = draw(st.permutations([*words, *carts, *again]))
    return Correspondence(tuple(told), draw(st.sampled_from(("", "", "no", "yes"))))


class Deed(NamedTuple):
    """Something done to a wallet: a purchase or refund of minor units, points by hand, a hundredth of what is there."""

    what: Literal["buys", "returns", "is given", "is taken", "redeems", "reverses", "holds", "captures", "releases"]
    amount: int = 0


deeds = st.one_of(
    st.builds(Deed, st.sampled_from(("buys", "returns")), st.integers(1_000, 20_000)),
    st.builds(Deed, st.sampled_from(("is given", "is taken")), st.integers(1, 150)),
    st.builds(Deed, st.sampled_from(("redeems", "holds")), st.integers(20, 105)),
    st.builds(Deed, st.sampled_from(("reverses", "captures", "releases")), st.just(0)),
)
histories = st.lists(deeds, min_size=4, max_size=MOST_DEEDS - 1).map(lambda more: [Deed("buys", 15_000), *more])
