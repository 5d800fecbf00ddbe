"""The programme as data: which stores, which rules, how long, which tiers; its versions never change."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import available_timezones

import msgspec

from services.loyalty import terms
from services.loyalty.expiry import Expiry
from services.loyalty.memberships import Membership
from services.loyalty.payment import Payment
from services.loyalty.referring import Referrals
from services.loyalty.rules import AnyRule, Cap, Word
from services.loyalty.rules.spend import Spend
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


class Programme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a loyalty programme.

    `stores` empty means all of the account's; `expiry_months` None means never; what is taken back beyond the
    balance becomes debt (`allow_negative`), is forgiven (`clamp`) or comes out of pending points first. `cap` limits
    what one member earns by all rules together, `budget` what all members do. Points that come back after their expiry
    live on for `reinstate_days` from it. `expiry` says how points expire where `expiry_months` after they came will
    not do. With `pending_until` an order's points are pending until that has happened to it (fulfilled,
    delivered, or an activity of this name whose reference is our id of the order), and `pending_days` more;
    if it has not happened `cancel_days` after it was paid they are taken back. `redeemed_percent` of all points are
    expected to be spent (None: as many as of those whose fate is known).
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

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown zone, two rules of one name, a membership of a tier that is not there."""
        if self.zone not in ZONES:
            raise ValueError(f"{self.zone!r} is not an IANA time zone")
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {twice[0]!r}: give them names of their own")
        tiers = {tier.name for tier in self.ladder.tiers}
        if lost := sorted({plan.tier for plan in self.memberships} - tiers):
            raise ValueError(f"a membership gives the tier {lost[0]!r}, which is not on the ladder")

    def expires_at(self, accrued_at: datetime, matures_at: datetime) -> datetime | None:
        """The first instant (UTC) at which points can no longer be spent; None for never."""
        if self.expiry is not None:
            return self.expiry.ends(self.zone, accrued_at, matures_at)
        return terms.expires_at(self.zone, accrued_at, self.expiry_months)


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
