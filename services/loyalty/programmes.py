"""The programme as data: which stores, which rules, how long, which tiers; its versions never change."""

from datetime import datetime
from typing import Literal

import msgspec

from services.loyalty.rules import AnyRule
from services.loyalty.rules.spend import Spend
from services.loyalty.tiers import Ladder, Tier

DebtPolicy = Literal["allow_negative", "clamp", "pending_first"]

TIERS = (
    Tier(name="bronze"),
    Tier(name="silver", threshold=500, percent=125),
    Tier(name="gold", threshold=2_000, percent=150),
)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a minor unit of another currency counts in minor units of the programme's: numerator / denominator."""

    currency: str
    numerator: int
    denominator: int


class Programme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a loyalty programme.

    `stores` empty means all of the account's; `expiry_months` None means never; what is taken back beyond the
    balance becomes debt (`allow_negative`), is forgiven (`clamp`) or comes out of pending points first.
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
    pending_days: int = 14
    expiry_months: int | None = 12
    notice_days: int = 30
    debt: DebtPolicy = "allow_negative"


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
