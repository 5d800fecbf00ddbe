"""What two customers were both paid for and, being one, should have been paid once: it is taken back at their merge."""

from msgspec.structs import replace

from services.loyalty import awarding, earning, ledger, terms
from services.loyalty.desk import Desk
from services.loyalty.earning import MOST
from services.loyalty.handlers import climb
from services.loyalty.holders import MAIN, in_wallet, wallet_of
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import IMPORTED, Award, Context, Member, Move, Rating
from services.loyalty.rules import FirstOrder
from services.loyalty.stacking import summed
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import CustomerMerged


def take_back(event: Event[CustomerMerged], loser: Member, desk: Desk, programme: Programme) -> None:
    """Let the survivor have the loser's awards but for those she has too, and one first order of both."""
    for award in desk.awards_of(loser):
        name = awarding.award_id(event.customer, award.rule, award.source)
        del desk.awards[award.account, award.id]
        if award.rule == IMPORTED:
            _keep_both(award, event.customer, desk)
        elif (award.account, name) in desk.awards:
            day = terms.local_day(programme.zone, award.awarded_at)
            _less(event, awarding.lot_id(award.id), award.points - award.returned, day, desk, programme)
        else:
            desk.put_award(replace(award, id=name, customer=event.customer))
    for wallet in (MAIN, *desk.wallets(event.account)):
        holder = desk.holder(event.account, event.customer, wallet)
        if holder is not None:
            _one_first_order(event, holder, desk, programme)


def _one_first_order(event: Event[CustomerMerged], holder: Member, desk: Desk, programme: Programme) -> None:
    firsts = [(rating.context, rating) for rating in desk.ratings_of(holder) if rating.context is not None]
    firsts = sorted((one for one in firsts if one[0].first_order), key=lambda one: (one[0].accrued_at, one[1].order_id))
    for context, rating in firsts[1:]:
        _no_longer_first(event, rating, context, desk, programme)


def _keep_both(award: Award, survivor: str, desk: Desk) -> None:
    """Balances brought along are not paid for anything: both stay, whatever the other system called them."""
    name = awarding.award_id(survivor, award.rule, award.source)
    source = award.source
    if (award.account, name) in desk.awards:
        source = f"{award.source} of {award.customer}"
        name = awarding.award_id(survivor, award.rule, source)
    desk.put_award(replace(award, id=name, customer=survivor, source=source))


def _no_longer_first(
    event: Event[CustomerMerged], rating: Rating, context: Context, desk: Desk, programme: Programme
) -> None:
    """Rate an order as not the first one from now on, and take back what being the first had brought."""
    rated = desk.programmes(event.account, event.store).numbered(context.version).of(wallet_of(rating.order_id))
    names = {rule.name for rule in rated.rules if isinstance(rule, FirstOrder)}
    parts = rating.parts or ()
    kept = tuple(replace(part, points=0, why="not_the_first_order") if part.rule in names else part for part in parts)
    context = replace(context, first_order=False)
    points = max(0, rating.points - summed(kept, context, rated.plan, MOST)) if parts else 0
    desk.put_rating(replace(rating, points=rating.points - points, parts=kept, context=context))
    if points:
        day = terms.local_day(programme.zone, context.accrued_at)
        _less(event, earning.lot_id(rating.order_id), points, day, desk, programme)


def _less(event: Event[CustomerMerged], lot: str, points: int, day: int, desk: Desk, programme: Programme) -> None:
    """Take points back that came on a local day into a lot."""
    own = desk.lots.get((event.account, lot))
    wallet = MAIN if own is None else wallet_of(own.customer)
    member = desk.members[event.account, in_wallet(event.customer, wallet)]
    cause = Cause(new_id("txn"), "clawback", "" if own is None else own.source, event.time, desk.now)
    done = ledger.claw_back(member, own, desk.open_lots(member), points, programme.of(wallet).debt, cause)
    after = desk.put_member(replace(desk.book(done), earned=member.earned - points))
    if wallet != MAIN:
        return
    today = terms.local_day(programme.zone, event.time)
    climb(after, Move(max(today, day), day, -points), desk, programme)
