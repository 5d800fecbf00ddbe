"""What loyalty keeps of rewards: a frozen struct for each table, its fields in the order of the columns."""

from datetime import datetime
from typing import Literal

import msgspec

from services.loyalty.catalogue import Reward


class RewardRow(msgspec.Struct, frozen=True):
    """A reward of the catalogue as it stands since its last change."""

    account: str
    id: str
    revision: int
    body: Reward


class Stock(msgspec.Struct, frozen=True, gc=False):
    """How many of a limited reward, or free codes of a pool, are there."""

    account: str
    reward: str
    remaining: int


class Code(msgspec.Struct, frozen=True, gc=False):
    """A code by its `key` (how it is compared), given out with `voucher` or free ('')."""

    account: str
    key: str
    code: str
    reward: str
    voucher: str


class Voucher(msgspec.Struct, frozen=True, gc=False):
    """A reward that a member claimed for the points of `redemption`, by the code that a shop honours."""

    account: str
    id: str
    customer: str
    reward: str
    code: str
    redemption: str
    status: Literal["issued", "held", "used", "returned"]
    order_ref: str
    issued_at: datetime
    expires_at: datetime | None


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher as shops are told of it: all that is needed to make a coupon of it."""

    id: str
    code: str
    status: str
    customer: str
    reward: str
    name: str
    kind: str
    value: int
    currency: str
    product: str
    order_ref: str
    issued_at: datetime
    expires_at: datetime | None


def coupon_of(voucher: Voucher, reward: Reward) -> Coupon:
    """A voucher with what it gives."""
    return Coupon(
        id=voucher.id,
        code=voucher.code,
        status=voucher.status,
        customer=voucher.customer,
        reward=voucher.reward,
        name=reward.name,
        kind=reward.kind,
        value=reward.value,
        currency=reward.currency,
        product=reward.product,
        order_ref=voucher.order_ref,
        issued_at=voucher.issued_at,
        expires_at=voucher.expires_at,
    )
