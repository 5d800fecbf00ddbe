"""What a referral pays each side: the programme's own rewards as rules, brought to what is due, paid or taken back."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from services.loyalty import awarding, awards, ledger, schedule, terms
from services.loyalty.desk import Desk
from services.loyalty.handlers import climb, enrolled, holding
from services.loyalty.holders import MAIN, wallet_of
from services.loyalty.ledger import Cause, Change
from services.loyalty.programmes import Programme
from services.loyalty.records import ISSUER, WRITTEN_OFF, Award, Context, Kind, Lot, Move
from services.loyalty.referring import Referrals
from services.loyalty.rules import FactRule
from shared.db import new_id
from shared.events import Event, Fact
from shared.events.loyalty import PointsReversed, ReferralFact, ReferralQualified, ReferralReversed

TOLD: tuple[type[ReferralFact], ...] = (ReferralQualified, ReferralReversed)
Side = Literal["referrer", "friend"]
NAMES: dict[Side, str] = {"referrer": "referral", "friend": "referral_welcome"}
MILESTONE = "referral_milestone"
NUMBERS = {"signup": range(1), "first_order": range(1, 2), "every_order": range(1, 10**9)}


class SideReward(FactRule, frozen=True, kw_only=True):
    """What one side gets for a sign-up or order of which `least` is kept."""

    side: Side
    what: Literal["signup", "first_order", "every_order"]
    least: int

    on: ClassVar[tuple[type[Fact], ...]] = TOLD

    def earns(self, fact: Any, context: Context) -> int:
        """All of it or nothing."""
        del context
        least = self.least if fact.order else 1
        wanted = fact.side == self.side and fact.number in NUMBERS[self.what]
        return self.points if wanted and fact.kept >= least else 0

    def key(self, event: Event[Any]) -> str:
        """Once for each sign-up and order."""
        return f"{event.fact.referral}:{event.fact.order}"


class MilestoneReward(FactRule, frozen=True, kw_only=True):
    """What a referrer gets for so many friends."""

    friends: int

    on: ClassVar[tuple[type[Fact], ...]] = TOLD

    def key(self, event: Event[Any]) -> str:
        """Once, however often the number is reached."""
        del event
        return str(self.friends)


def rules_of(found: Referrals | None, side: Side) -> list[SideReward]:
    """The rewards of one side as rules; the referrer's are capped."""
    if found is None:
        return []
    rules = []
    for reward in found.rewards:
        points = reward.referrer if side == "referrer" else reward.friend
        if points:
            rules.append(
                SideReward(
                    name=f"{NAMES[side]}:{reward.when}",
                    points=points,
                    pending_days=found.return_days,
                    cap=reward.cap if side == "referrer" else None,
                    side=side,
                    what=reward.when,
                    least=reward.least,
                )
            )
    return rules


def milestone_rules(found: Referrals | None) -> list[MilestoneReward]:
    """The milestones as rules; like all that referrals pay they are pending until the return window ends."""
    if found is None:
        return []
    return [
        MilestoneReward(name=MILESTONE, points=goal.points, pending_days=found.return_days, friends=goal.friends)
        for goal in found.milestones
    ]


def listening(programme: Programme, fact: ReferralFact) -> list[FactRule]:
    """All rules of a programme version that such a fact may move."""
    return [*rules_of(programme.referrals, fact.side), *awarding.fact_rules(programme, fact)]


def keys(event: Event[ReferralFact], programme: Programme) -> list[str]:
    """The ids of the awards that a fact may pay or take back."""
    fact = event.fact
    found = [awarding.award_id(event.customer, rule.name, rule.key(event)) for rule in listening(programme, fact)]
    goals = milestone_rules(programme.referrals) if fact.side == "referrer" else []
    return found + [awarding.award_id(event.customer, rule.name, rule.key(event)) for rule in goals]


def pay_side(event: Event[ReferralFact], desk: Desk) -> None:
    """Bring all that one side gets by a step of a referral to what is due now."""
    fact, versions = event.fact, desk.programmes(event.account, event.store)
    programme = versions.find(fact.program, fact.program_version) or versions.at(desk.now)
    zone = desk.zone_of(event.account, event.store, programme)
    for rule in listening(programme, fact):
        member = desk.members[event.account, event.customer]
        context = awards.context_of(member, programme, event.time, zone)
        settle(rule, rule.earns(fact, context), rule.key(event), event.time, programme, desk, context)
    if fact.friends and fact.side == "referrer":
        _count_friends(event, programme, desk)


def settle(  # noqa: PLR0913, PLR0917 - a rule, what it pays for, and where
    rule: FactRule,
    due: int,
    source: str,
    at: datetime,
    programme: Programme,
    desk: Desk,
    context: Context | None = None,
) -> None:
    """Bring what a rule has paid for one thing to what is due: paid once, taken back whole, given again as it was.

    Its conditions are judged (in `context`) when it is paid, and never again.
    """
    work = desk.work
    held = desk.awards.get((work.account, awarding.award_id(work.customer, rule.name, source)))
    if held is None:
        if due and not (context is not None and rule.failed(context)):
            awards.pay(rule, due, source, at, programme, desk)
    elif due and held.returned:
        _give_again(held, at, programme, desk)
    elif not due and not held.returned:
        _take_back(held, at, programme, desk)


def _count_friends(event: Event[ReferralFact], programme: Programme, desk: Desk) -> None:
    """Friends count for milestones and for tiers; one who is taken back counts against the day of that."""
    key, day = (event.account, event.customer), terms.local_day(programme.zone, event.time)
    member = enrolled(desk, *key, programme)
    climb(member, Move(day, day, 0, friends=event.fact.friends), desk, programme)
    party = desk.party(*key)
    desk.parties[key] = replace(party, friends=party.friends + event.fact.friends)
    _settle_milestones(event, programme, desk)


def judge_milestones(event: Event[Any], desk: Desk) -> None:
    """Bring milestones to what two customers, now one, have reached together."""
    _settle_milestones(event, desk.programmes(event.account, event.store).at(desk.now), desk)


def _settle_milestones(event: Event[Any], programme: Programme, desk: Desk) -> None:
    friends = desk.party(event.account, event.customer).friends
    for rule in milestone_rules(programme.referrals):
        due = rule.points if friends >= rule.friends else 0
        settle(rule, due, rule.key(event), event.time, programme, desk)


def _lot_of(award: Award, desk: Desk) -> Lot:
    """The lot that an award's transaction filled: a merge gives the award another id, and leaves the lot its own."""
    legs = desk.earlier.get((award.account, award.txn)) or [leg for leg in desk.entries.rows if leg.txn == award.txn]
    return next(desk.lots[award.account, leg.lot] for leg in legs if leg.lot and leg.side == ISSUER)


def _take_back(award: Award, at: datetime, programme: Programme, desk: Desk) -> None:
    own = _lot_of(award, desk)
    wallet = wallet_of(own.customer)
    member, debt = holding(desk, award.account, desk.work.customer, wallet, programme), programme.of(wallet).debt
    done = ledger.claw_back(
        member, own, desk.open_lots(member), award.points, debt, _cause("clawback", award, at, desk)
    )
    forgiven = done.on(WRITTEN_OFF)
    desk.put_award(replace(award, returned=award.points, written_off=award.written_off - forgiven))
    _booked(done, award, -award.points, at, programme, desk)
    fact = PointsReversed(
        program=programme.id,
        rule=award.rule,
        award=award.id,
        points=award.points,
        balance=done.member.available,
        wallet=wallet,
    )
    desk.emit(fact)


def _give_again(award: Award, at: datetime, programme: Programme, desk: Desk) -> None:
    lot = _lot_of(award, desk)
    member = holding(desk, award.account, desk.work.customer, wallet_of(lot.customer), programme)
    forgiven = min(award.written_off, award.points)
    done = ledger.earn(member, lot, award.points, _cause("award", award, at, desk), forgiven=forgiven)
    desk.put_award(replace(award, returned=0, written_off=award.written_off - forgiven))
    _booked(done, award, award.points, at, programme, desk)


def _booked(done: Change, award: Award, points: int, at: datetime, programme: Programme, desk: Desk) -> None:
    """Timers and tier after an award was taken back or given again; it counts for the day on which it was earned."""
    member = desk.book(done)
    after = desk.put_member(replace(member, earned=member.earned + points))
    wallet = wallet_of(member.customer)
    after = schedule.sooner(desk, after, done.lots, programme.of(wallet))
    if wallet != MAIN:
        return
    day = terms.local_day(programme.zone, award.awarded_at)
    climb(after, Move(max(day, terms.local_day(programme.zone, at)), day, points), desk, programme)


def _cause(kind: Kind, award: Award, at: datetime, desk: Desk) -> Cause:
    return Cause(new_id("txn"), kind, award.id, at, desk.now)
