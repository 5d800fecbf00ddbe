"""What a referral gives a side beside points: a voucher of the catalogue, withdrawn unused if it counts no longer."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid5

from msgspec.structs import replace

from services.loyalty import vouchers
from services.loyalty.desk import Desk
from services.loyalty.handlers import enrolled
from services.loyalty.programmes import Programme
from services.loyalty.referrals import rewards
from services.loyalty.reward_records import RewardRow, Voucher
from shared.events import Event
from shared.events.base import NAMESPACE
from shared.events.loyalty import ReferralFact, RewardClaimed, RewardReturned


class Gift(NamedTuple):
    """The voucher that a step gives one side, of which reward, and whether it is due now."""

    voucher: str
    reward: str
    due: bool


def gifts_of(event: Event[ReferralFact], programme: Programme) -> Iterator[Gift]:
    """What the rewards of a programme version give for a step; whoever is merged, the voucher stays the same."""
    fact, found = event.fact, programme.referrals
    for terms in () if found is None else found.rewards:
        reward = terms.referrer_reward if fact.side == "referrer" else terms.friend_reward
        if reward and fact.number in rewards.NUMBERS[terms.when]:
            name = f"{event.account}|{fact.referral}|{fact.order}|{fact.side}|{terms.when}"
            yield Gift(f"vch_{uuid5(NAMESPACE, name).hex}", reward, fact.kept >= (terms.least if fact.order else 1))


def programme_of(event: Event[ReferralFact], desk: Desk) -> Programme:
    """The programme version by which a step was judged."""
    versions = desk.programmes(event.account, event.store)
    return versions.find(event.fact.program, event.fact.program_version) or versions.at(desk.now)


def reward_side(event: Event[ReferralFact], desk: Desk) -> None:
    """Bring all that one side gets by a step of a referral, points and vouchers, to what is due now."""
    rewards.pay_side(event, desk)
    for gift in gifts_of(event, programme_of(event, desk)):
        held = desk.vouchers.get((event.account, gift.voucher))
        row = desk.rewards.get((event.account, gift.reward))
        if row is None:
            continue  # the shop has named a reward that is not there
        if gift.due and (held is None or held.status == "returned"):
            _give(event, gift, held, row, desk)
        elif not gift.due and held is not None and held.status == "issued":
            _withdraw(event, held, row, desk)


def _give(event: Event[ReferralFact], gift: Gift, held: Voucher | None, row: RewardRow, desk: Desk) -> None:
    """Nothing is given of what has run out, has codes of a pool, or to who is forgotten."""
    member, reward = enrolled(desk, event.account, event.customer, programme_of(event, desk)), row.body
    if member.erased or not reward.active or reward.codes == "pool":
        return
    if not vouchers.take_one(event.account, row.id, reward, desk):
        return
    if held is None:
        held = vouchers.issue((event.account, member.customer), gift.voucher, row.id, reward, "", desk)
    else:
        held = desk.vouchers[event.account, held.id] = replace(held, status="issued")
    desk.emit(
        RewardClaimed(
            reward=row.id,
            voucher=held.id,
            kind=reward.kind,
            points=0,
            balance=member.available,
            expires_at=held.expires_at,
        )
    )


def _withdraw(event: Event[ReferralFact], held: Voucher, row: RewardRow, desk: Desk) -> None:
    vouchers.put_back(held, row.body, desk)
    balance = desk.members[event.account, event.customer].available
    desk.emit(RewardReturned(reward=held.reward, voucher=held.id, points=0, balance=balance))
