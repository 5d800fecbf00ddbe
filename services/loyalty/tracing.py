"""Every point traced back: from a redemption to the lots it took, and to the order or award and its rules."""

from datetime import datetime

import msgspec

from services.loyalty import tables
from services.loyalty.holders import wallet_of, without_wallet
from services.loyalty.records import AVAILABLE, PENDING, Award, Entry, Lot, Part, Rating, Redemption
from shared.db import Reader
from shared.errors import not_found


class Given(msgspec.Struct, frozen=True):
    """What one rule of a version gave."""

    rule: str
    points: int


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Points that a redemption took out of one lot (`returned` of them came back), and where these came from.

    `source` is an order, an award or the transaction behind a lot; `version` the programme's that rated it.
    """

    lot: str
    points: int
    returned: int
    source: str
    version: int
    rules: tuple[Given, ...]
    accrued_at: datetime
    expires_at: datetime | None


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption with the origin of its points."""

    id: str
    customer: str
    points: int
    returned: int
    status: str
    order_ref: str
    created_at: datetime
    transaction: str
    wallet: str
    origins: tuple[Origin, ...]


async def trace(reader: Reader, account: str, name: str) -> Traced:
    """A redemption's points, the first to be given back last; raises Refused 404."""
    found = await reader.fetch_by_keys(tables.redemption, [(account, name)], Redemption)
    if not found:
        raise not_found("redemption", name)
    taken = found[0]
    legs = await reader.fetch_by_keys(tables.entry, [(account, taken.txn)], Entry, by=("account", "txn"))
    drawn = [leg for leg in sorted(legs, key=lambda leg: leg.ordinal) if leg.side in {AVAILABLE, PENDING} and leg.lot]
    lots = {lot.id: lot for lot in await reader.fetch_by_keys(tables.lot, {(account, leg.lot) for leg in drawn}, Lot)}
    sources = {(account, lot.source) for lot in lots.values()}
    ratings = {one.order_id: one for one in await reader.fetch_by_keys(tables.rating, sources, Rating)}
    awards = {one.id: one for one in await reader.fetch_by_keys(tables.award, sources, Award)}
    back, origins = taken.returned, list[Origin]()
    for leg in reversed(drawn):
        lot, points = lots[leg.lot], -leg.points
        returned = min(back, points)
        back -= returned
        origins.append(_origin(lot, points, returned, ratings.get(lot.source), awards.get(lot.source)))
    return Traced(
        id=taken.id,
        customer=without_wallet(taken.customer),
        wallet=wallet_of(taken.customer),
        points=taken.points,
        returned=taken.returned,
        status="reversed" if taken.reversed_by else "redeemed",
        order_ref=taken.order_ref,
        created_at=taken.created_at,
        transaction=taken.txn,
        origins=tuple(reversed(origins)),
    )


def _origin(lot: Lot, points: int, returned: int, rating: Rating | None, award: Award | None) -> Origin:
    version, rules = 0, tuple[Given, ...]()
    if rating is not None and rating.context is not None:
        version, rules = rating.context.version, _given(rating.parts or ())
    elif award is not None:
        version, rules = award.version, (Given(award.rule, award.points),)
    return Origin(
        lot=lot.id,
        points=points,
        returned=returned,
        source=without_wallet(lot.source),
        version=version,
        rules=rules,
        accrued_at=lot.accrued_at,
        expires_at=lot.expires_at,
    )


def _given(parts: tuple[Part, ...]) -> tuple[Given, ...]:
    return tuple(Given(part.rule, part.points) for part in parts if part.points)
