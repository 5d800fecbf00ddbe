"""What loyalty does when two customers turn out to be one, and when one asks to be forgotten."""

from msgspec.structs import replace

from services.loyalty import caps, duplicates, ledger, schedule, standings, terms, tiers
from services.loyalty.awarding import DATES_TIMER
from services.loyalty.desk import Desk
from services.loyalty.handlers import enrolled, holding
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import Member
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged
from shared.events.loyalty import TierUpgraded


def merge_members(event: Event[CustomerMerged], desk: Desk) -> None:
    """Move a merged member's lots, debt, orders and qualifying points to the survivor; every lot keeps its expiry."""
    loser = desk.members[event.account, event.fact.loser]
    if loser.customer == event.customer or not loser.program:
        return
    programme = desk.programmes(event.account, event.store).at(desk.now)
    gone, survivor = _moved(event, loser, enrolled(desk, event.account, event.customer, programme), desk)
    for wallet in desk.wallets(event.account):
        _move_wallet(event, wallet, desk, programme)
    for voucher in [one for one in desk.vouchers.values() if one.customer == loser.customer]:
        desk.vouchers[voucher.account, voucher.id] = replace(voucher, customer=survivor.customer)
    _joined(loser, survivor, desk, programme)
    duplicates.take_back(event, loser, desk, programme)
    desk.put_member(
        replace(
            schedule.stop(desk, gone),
            moves=(),
            uses=(),
            passes=(),
            birthday="",
            earned=0,
            redeemed=0,
            tier=programme.ladder.tiers[0].name,
        )
    )


def _moved(event: Event[CustomerMerged], loser: Member, survivor: Member, desk: Desk) -> tuple[Member, Member]:
    """Move all that one holder has to another of the same wallet, whose debt it pays first; gives both as they are."""
    lots = desk.open_lots(loser)
    gone = desk.book(ledger.hand_over(loser, lots, _cause(event, desk, loser.customer)))
    taken = ledger.take_over(survivor, lots, loser.debt, loser.held, _cause(event, desk, loser.customer))
    survivor = desk.book(taken)
    if survivor.debt and survivor.available > -survivor.debt:
        survivor = desk.book(ledger.settle(survivor, desk.open_lots(survivor), _cause(event, desk, loser.customer)))
    for empty in desk.lots_of(loser):
        desk.put_lot(replace(empty, customer=survivor.customer))
    for rating in desk.ratings_of(loser):
        desk.put_rating(replace(rating, customer=survivor.customer))
    for spent in [one for one in desk.redemptions.values() if one.customer == loser.customer]:
        desk.put_redemption(replace(spent, customer=survivor.customer))
    return gone, survivor


def _move_wallet(event: Event[CustomerMerged], wallet: str, desk: Desk, programme: Programme) -> None:
    """The same for a further wallet, with its lifetime figures, caps and timers."""
    loser = desk.holder(event.account, event.fact.loser, wallet)
    if loser is None:
        return
    gone, survivor = _moved(event, loser, holding(desk, event.account, event.customer, wallet, programme), desk)
    active = max((at for at in (survivor.active_at, loser.active_at) if at), default=None)
    after = replace(
        survivor,
        earned=survivor.earned + loser.earned,
        redeemed=survivor.redeemed + loser.redeemed,
        uses=caps.joined(survivor.uses, loser.uses),
        active_at=active,
    )
    own = programme.of(wallet)
    schedule.again(desk, desk.put_member(after), own, "mature_due", "expire_due", "notice_due")
    desk.put_member(replace(schedule.stop(desk, gone), uses=(), earned=0, redeemed=0))


def forget_member(event: Event[CustomerErased], desk: Desk) -> None:
    """Forget a person: words written about them go; the wallet names only a random id and stays in the books."""
    member = desk.members[event.account, event.customer]
    member = desk.put_member(replace(member, erased=True, birthday="", segments=()))
    if member.dates_due is not None:
        desk.cancel_timer(DATES_TIMER, member.customer)
        desk.put_member(replace(member, dates_due=None))
    for wallet in (MAIN, *desk.wallets(event.account)):
        desk.forgotten.append((event.account, in_wallet(event.customer, wallet)))


def _joined(loser: Member, survivor: Member, desk: Desk, programme: Programme) -> None:
    """Let the survivor have the lifetime figures, qualifying points and timers of both."""
    ladder = programme.ladder
    level = max(ladder.level_of(survivor.tier), ladder.level_of(loser.tier))
    after = replace(
        survivor,
        moves=tiers.added(survivor.moves, *loser.moves),
        earned=survivor.earned + loser.earned,
        redeemed=survivor.redeemed + loser.redeemed,
        first_order=survivor.first_order or loser.first_order,
        joined_at=min(survivor.joined_at, loser.joined_at),
        uses=caps.joined(survivor.uses, loser.uses),
        birthday=survivor.birthday or loser.birthday,
        birthday_since=survivor.birthday_since if survivor.birthday else loser.birthday_since,
        active_at=max((at for at in (survivor.active_at, loser.active_at) if at), default=None),
        passes=(*survivor.passes, *loser.passes),
    )
    now = standings.place(after, programme, terms.local_day(programme.zone, desk.now))
    tier = ladder.tiers[max(level, now.level)].name
    after = replace(after, tier=tier)
    if ladder.level_of(tier) > ladder.level_of(survivor.tier):
        desk.emit(TierUpgraded(program=programme.id, tier=tier, previous=survivor.tier))
    after = schedule.again(desk, desk.put_member(after), programme.of(MAIN), "mature_due", "expire_due", "notice_due")
    after = schedule.dates(desk, after, programme, terms.local_day(programme.zone, desk.now) + 1)
    schedule.review(desk, after, now, programme, max(level, now.level))


def _cause(event: Event[CustomerMerged], desk: Desk, loser: str) -> Cause:
    return Cause(transaction=new_id("txn"), kind="merge", of=loser, at=event.time, recorded=desk.now)
