"""What referrals do when two customers turn out to be one, and when one asks to be forgotten."""

from msgspec.structs import replace

from services.loyalty import merging
from services.loyalty.desk import Desk
from services.loyalty.referral_records import Party, Referral
from services.loyalty.referrals import cases, prints, rewards
from services.loyalty.referrals.attribution import touched
from services.loyalty.referrals.judgement import EXISTING, SELF, ids_of
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged

MERGED = "came_twice"


def merge_members(event: Event[CustomerMerged], desk: Desk) -> None:
    """Join wallets, then what referrals know of both; nobody came twice, brought itself, or was a customer before."""
    merging.merge_members(event, desk)
    account, loser = event.account, event.fact.loser
    if loser == event.customer or not _concerned(event, desk):
        return
    survivor = _joined(desk.party(account, event.customer), desk.party(account, loser))
    desk.parties[account, event.customer] = survivor
    del desk.parties[account, loser]
    for code in [one for one in desk.referral_codes.values() if (one.account, one.customer) == (account, loser)]:
        desk.referral_codes[account, code.key] = replace(code, customer=event.customer)
    for referral in desk.referrals_of(account, loser):
        desk.put_referral(replace(referral, friend=event.customer))
    _turn_down(event, survivor, desk)
    rewards.judge_milestones(event, desk)


def forget_member(event: Event[CustomerErased], desk: Desk) -> None:
    """Forget the wallet's words, and all that referrals know of a person; points that others got stay theirs."""
    merging.forget_member(event, desk)
    account, customer = event.account, event.customer
    if (account, customer) in desk.parties:
        del desk.parties[account, customer]
    for code in [one for one in desk.referral_codes.values() if (one.account, one.customer) == (account, customer)]:
        del desk.referral_codes[account, code.key]
    for referral in desk.referrals_of(account, customer):
        desk.put_referral(replace(referral, body=replace(referral.body, decided=None)))


def _concerned(event: Event[CustomerMerged], desk: Desk) -> bool:
    keys = [(event.account, event.customer), (event.account, event.fact.loser)]
    return any(key in desk.parties or desk.referrals_of(*key) for key in keys)


def _joined(one: Party, other: Party) -> Party:
    names = tuple(sorted({*one.known.names, *ids_of(other)}))
    known = replace(one.known, names=names, invited=max(one.known.invited, other.known.invited))
    for touch in other.known.touches:
        known = touched(known, touch)
    known = prints.added(known, other.known.prints)
    return replace(one, code=one.code or other.code, friends=one.friends + other.friends, known=known)


def _turn_down(event: Event[CustomerMerged], party: Party, desk: Desk) -> None:
    """Of the referrals that count the oldest goes on, unless being one person forbids it."""
    counting = [one for one in desk.referrals_of(event.account, event.customer) if one.status != "rejected"]
    for number, referral in enumerate(counting):
        if referral.referrer in ids_of(party):
            cases.decide(referral, "rejected", None, desk, reason=SELF)
        elif number:
            cases.decide(referral, "rejected", None, desk, reason=MERGED)
        elif _was_a_customer(referral, event, desk):
            cases.decide(referral, "rejected", None, desk, reason=EXISTING)


def _was_a_customer(referral: Referral, event: Event[CustomerMerged], desk: Desk) -> bool:
    """Whether an order of the one person that is no step of the referral came before it."""
    steps = {step.order for step in referral.body.steps}
    ratings = desk.ratings_of(desk.members[event.account, event.customer])
    paid = [one.context.accrued_at for one in ratings if one.context is not None and one.order_id not in steps]
    return any(moment < referral.created_at for moment in paid)
