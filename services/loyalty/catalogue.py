"""What points can buy: rewards, what they cost whom, and the codes that shops honour."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from services.loyalty.holders import MAIN

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
Price = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Kind = Literal["percent_coupon", "fixed_coupon", "free_shipping", "free_product", "gift_card", "early_access"]
_NEEDS: dict[str, str] = {
    "percent_coupon": "value",
    "fixed_coupon": "value",
    "gift_card": "value",
    "free_product": "product",
}


class Reward(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that points buy. `value` is a percentage, or minor units of `currency` for money off and gift cards.

    `prices` are those of tiers that pay another than `price`, `wallets` what it costs in points of further wallets (one
    of them is paid; without `price` only these); only `tiers` may claim it where any is named; a member
    may claim it `per_member` times. Codes are made after `pattern` (# stands for a random letter or digit) or come
    out of an imported pool; at `alert_at` left the shop is told. At one checkout it goes together with rewards of the
    kinds that it `combines` with (None: all), if they agree; of those that do not the highest `priority` counts.
    Who falls below the `tiers` keeps what was claimed and not used yet, or it is revoked for its points (`on_fall`).
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Kind
    price: Price | None = None
    prices: Mapping[str, Price] = msgspec.field(default_factory=dict)
    wallets: Mapping[str, Price] = msgspec.field(default_factory=dict)
    tiers: frozenset[str] = frozenset()
    value: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    currency: Annotated[str, msgspec.Meta(max_length=3)] = ""
    product: Annotated[str, msgspec.Meta(max_length=200)] = ""
    per_member: Annotated[int, msgspec.Meta(ge=1, le=10**6)] | None = None
    valid_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] | None = 90
    codes: Literal["generated", "pool"] = "generated"
    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "########"
    alert_at: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    active: bool = True
    combines: frozenset[Kind] | None = None
    priority: Annotated[int, msgspec.Meta(ge=-(10**6), le=10**6)] = 0
    on_fall: Literal["keep", "revoke"] = "keep"
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError where it has no price or lacks what its kind gives, or codes could be guessed."""
        if self.price is None and not self.wallets:
            raise ValueError("a reward needs a price, or one in one of the wallets")
        needed = _NEEDS.get(self.kind)
        if needed and not getattr(self, needed):
            raise ValueError(f"a {self.kind} needs a {needed}")
        if self.kind == "percent_coupon" and self.value > 100:
            raise ValueError("a percentage is at most 100")
        if self.codes == "generated" and self.pattern.count("#") < 8:
            raise ValueError("a pattern needs eight # at least, or its codes can be guessed")

    def price_for(self, tier: str, wallet: str = MAIN) -> int | None:
        """What it costs a member of a tier in points of a wallet; None where these do not buy it."""
        return self.prices.get(tier, self.price) if wallet == MAIN else self.wallets.get(wallet)

    @property
    def paid_from(self) -> str:
        """The wallet that pays where nobody says which: the main one, if it can."""
        return MAIN if self.price is not None else min(self.wallets)

    def goes_with(self, other: "Reward") -> bool:
        """Whether both may be used at one checkout."""
        return _allows(self, other) and _allows(other, self)


def _allows(one: Reward, other: Reward) -> bool:
    return one.combines is None or other.kind in one.combines


def clashes(wanted: Sequence[tuple[str, Reward]]) -> dict[str, str]:
    """The names of those that cannot be used with the others, and with which they clash; the first of equals stays."""
    kept, out = list[tuple[str, Reward]](), dict[str, str]()
    for name, reward in sorted(wanted, key=lambda one: -one[1].priority):
        against = next((other for other, held in kept if not reward.goes_with(held)), None)
        if against is None:
            kept.append((name, reward))
        else:
            out[name] = against
    return out


def new_code(pattern: str) -> str:
    """A random code after a pattern, without letters and digits that look alike."""
    return "".join(secrets.choice(ALPHABET) if sign == "#" else sign for sign in pattern)


def key_of(code: str) -> str:
    """How codes are compared: without regard to case, spaces and hyphens."""
    return "".join(code.upper().replace("-", "").split())
