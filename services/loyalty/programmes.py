"""The programme as data: which stores, which rules, how long, which tiers; its versions never change."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec.structs import replace

from services.loyalty import terms
from services.loyalty.expiry import Expiry
from services.loyalty.holders import MAIN
from services.loyalty.memberships import Membership
from services.loyalty.payment import Payment
from services.loyalty.referring import Referrals
from services.loyalty.rules import AnyRule, Cap, DateRule, Word
from services.loyalty.rules.spend import Spend
from services.loyalty.stacking import Plan, planned
from services.loyalty.tiers import Ladder, Tier

DebtPolicy = Literal["allow_negative", "clamp", "pending_first"]

Positive = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Days = Annotated[int, msgspec.Meta(ge=0, le=3_650)]
ZONES = available_timezones()
TIERS = (
    Tier(name="bronze"),
    Tier(name="silver", threshold=500, percent=125),
    Tier(name="gold", threshold=2_000, percent=150),
)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a minor unit of another currency counts in minor units of the programme's: numerator / denominator."""

    currency: str
    numerator: Positive
    denominator: Positive


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many points for all members together in each week, month, year, or ever."""

    points: Positive
    per: Literal["week", "month", "year", "ever"] = "ever"


class Transfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Members may give each other points: at least `least` at once, and at most `most` in each `per` (None: any)."""

    least: Positive = 1
    most: Positive | None = None
    per: Literal["day", "week", "month", "year", "ever"] = "month"


class Wallet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further kind of points: stamps, coins. Rules that name it earn into it, rewards may cost points of it.

    It goes by terms of its own, which mean what they mean for the main one; its points never pay for orders and do
    not count for tiers; the tier multiplies them where it is `tiered`. `texts` say by language what it is called.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)
    tiered: bool = False
    pending_days: Days = 0
    pending_until: Word = ""
    cancel_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 90
    expiry_months: Annotated[int, msgspec.Meta(ge=1, le=1_200)] | None = None
    expiry: Expiry | None = None
    notice_days: Days = 30
    reinstate_days: Days = 0
    debt: DebtPolicy = "allow_negative"
    cap: Cap | None = None
    transfer: Transfer | None = None


class Programme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One version of a loyalty programme.

    `stores` empty means all of the account's; `expiry_months` None means never; what is taken back beyond the
    balance becomes debt (`allow_negative`), is forgiven (`clamp`) or comes out of pending points first. `cap` limits
    what one member earns by all rules together, `budget` what all members do. Points that come back after their expiry
    live on for `reinstate_days` from it. `expiry` says how points expire where `expiry_months` after they came will
    not do. With `pending_until` an order's points are pending until that has happened to it (fulfilled,
    delivered, or an activity of this name whose reference is our id of the order), and `pending_days` more;
    if it has not happened `cancel_days` after it was paid they are taken back. `redeemed_percent` of all points are
    expected to be spent (None: as many as of those whose fate is known). `wallets` are kept beside the main one.
    """

    id: str
    version: int = 1
    name: str = ""
    stores: frozenset[str] = frozenset()
    currency: str
    zone: str
    start: datetime
    rules: tuple[AnyRule, ...]
    rates: tuple[Rate, ...] = ()
    ladder: Ladder = Ladder(tiers=TIERS)
    pending_days: Days = 14
    expiry_months: Annotated[int, msgspec.Meta(ge=1, le=1_200)] | None = 12
    notice_days: Days = 30
    debt: DebtPolicy = "allow_negative"
    cap: Cap | None = None
    budget: Budget | None = None
    payment: Payment | None = None
    reinstate_days: Days = 0
    expiry: Expiry | None = None
    pending_until: Word = ""
    cancel_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 90
    transfer: Transfer | None = None
    referrals: Referrals | None = None
    memberships: tuple[Membership, ...] = ()
    redeemed_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    wallets: tuple[Wallet, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown zone, two rules of one name, a tier or wallet that is not there."""
        if self.zone not in ZONES:
            raise ValueError(f"{self.zone!r} is not an IANA time zone")
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {twice[0]!r}: give them names of their own")
        tiers = {tier.name for tier in self.ladder.tiers}
        if lost := sorted({plan.tier for plan in self.memberships} - tiers):
            raise ValueError(f"a membership gives the tier {lost[0]!r}, which is not on the ladder")
        kept = [MAIN, *(wallet.name for wallet in self.wallets)]
        if len(set(kept)) < len(kept):
            raise ValueError(f"each wallet has a name of its own, and {MAIN!r} is the main one's")
        if astray := sorted({rule.wallet for rule in self.rules} - set(kept)):
            raise ValueError(f"a rule earns into {astray[0]!r}, which is none of the wallets")

    @property
    def slides(self) -> bool:
        """Whether activity keeps the points of any wallet alive."""
        found = (self.expiry, *(wallet.expiry for wallet in self.wallets))
        return any(one is not None and one.slides for one in found)

    def has(self, wallet: str) -> bool:
        """Whether this is one of the further wallets."""
        return any(one.name == wallet for one in self.wallets)

    def of(self, wallet: str) -> "Programme":
        """The programme as one wallet goes by it: its terms, only the rules that earn into it; raises KeyError."""
        return self._of_wallets[wallet] if self.wallets else self

    @cached_property
    def _of_wallets(self) -> dict[str, "Programme"]:
        found = {wallet.name: _seen_by(self, wallet) for wallet in self.wallets}
        return found | {MAIN: replace(self, wallets=(), rules=_rules_of(self, MAIN))}

    @cached_property
    def plan(self) -> Plan:
        """The rules about orders, sorted out."""
        return planned(self.rules)

    @cached_property
    def capped(self) -> dict[str, Cap]:
        """The caps of the rules that have one, by name."""
        return {rule.name: rule.cap for rule in self.rules if rule.cap is not None}

    @cached_property
    def dated(self) -> tuple[DateRule, ...]:
        """The rules about days that come every year."""
        return tuple(rule for rule in self.rules if isinstance(rule, DateRule))

    def expires_at(self, accrued_at: datetime, matures_at: datetime) -> datetime | None:
        """The first instant (UTC) at which points can no longer be spent; None for never."""
        if self.expiry is not None:
            return self.expiry.ends(self.zone, accrued_at, matures_at)
        return terms.expires_at(self.zone, accrued_at, self.expiry_months)


def _rules_of(programme: Programme, wallet: str) -> tuple[AnyRule, ...]:
    return tuple(rule for rule in programme.rules if rule.wallet == wallet)


def _seen_by(programme: Programme, wallet: Wallet) -> Programme:
    """A programme with the terms of a further wallet in the place of its own."""
    rules = tuple(replace(rule, wallet=MAIN) for rule in _rules_of(programme, wallet.name))
    own = {name: getattr(wallet, name) for name in wallet.__struct_fields__ if name not in {"name", "texts", "tiered"}}
    return replace(programme, wallets=(), rules=rules, budget=None, payment=None, referrals=None, **own)


encode = msgspec.json.Encoder(order="sorted").encode
decode = msgspec.json.Decoder(Programme).decode


def default_programme(account: str, *, currency: str, exponent: int, zone: str, start: datetime) -> Programme:
    """What an account begins with: one point for each 1.00, spendable after 14 days, for 12 months."""
    return Programme(
        id=f"prg_{account.removeprefix('acc_')}",
        name="Points",
        currency=currency,
        zone=zone,
        start=start,
        rules=(Spend(award=1, per=10**exponent),),
    )
