"""Rewards: the shop's catalogue, members who claim and give back, codes that are used."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.loyalty import catalogue, redemptions, vouchers
from services.loyalty.catalogue import Reward
from services.loyalty.desk import Desk, order_ref
from services.loyalty.holders import MAIN, in_wallet, wallet_of
from services.loyalty.ledger import Cause
from services.loyalty.redemptions import member_and_programme
from services.loyalty.reward_records import Code, RewardRow, Stock, Voucher
from shared.db import new_id
from shared.errors import Refused, not_found
from shared.events import Event
from shared.events.ingest import OrderFact
from shared.events.loyalty import RewardClaimed, RewardReturned, TierDowngraded
from shared.workset import Command


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher as the API tells it; `balance` is what is available beside it."""

    id: str
    reward: str
    code: str
    customer: str
    status: str
    points: int
    redemption: str
    expires_at: datetime | None
    balance: int
    wallet: str = MAIN


def put(command: Command, desk: Desk, name: str, reward: Reward, stock: int | None) -> RewardRow:
    """Add a reward to the catalogue, or change one; `stock` is only for a new one (None: unlimited).

    Raises Refused 422 `codes_fixed` for other codes than it began with.
    """
    before = desk.rewards.get((command.account, name))
    if before is not None and before.body.codes != reward.codes:
        raise Refused("codes_fixed", f"the codes of {name} are {before.body.codes}", pointer="/codes")
    row = RewardRow(command.account, name, 1 if before is None else before.revision + 1, reward)
    desk.rewards[command.account, name] = row
    limit = 0 if reward.codes == "pool" else stock
    if before is None and limit is not None:
        desk.stock[command.account, name] = Stock(command.account, name, limit)
    return row


def restock(command: Command, desk: Desk, name: str, change: int) -> Stock:
    """Add to or take from a limited reward; raises Refused 404, 422 `unlimited`, `below_zero` or `codes_needed`."""
    if _reward(command, desk, name).codes == "pool":
        raise Refused("codes_needed", f"{name} has as many as codes were added", pointer="/change")
    return _restocked(command, desk, name, change)


def _restocked(command: Command, desk: Desk, name: str, change: int) -> Stock:
    held = desk.stock.get((command.account, name))
    if held is None:
        raise Refused("unlimited", f"{name} has no stock to change")
    if held.remaining + change < 0:
        raise Refused("below_zero", f"{held.remaining} are left", pointer="/change")
    after = replace(held, remaining=held.remaining + change)
    desk.stock[command.account, name] = after
    vouchers.watch(name, _reward(command, desk, name), held.remaining, after.remaining, desk)
    return after


def fill_pool(command: Command, desk: Desk, name: str, codes: list[str]) -> Stock:
    """Add codes to a reward's pool; raises Refused 404, 422 `not_a_pool` or `code_taken`."""
    if _reward(command, desk, name).codes != "pool":
        raise Refused("not_a_pool", f"{name} makes its codes itself")
    for code in codes:
        desk.new_codes.append(Code(command.account, catalogue.key_of(code), code, name, ""))
    return _restocked(command, desk, name, len(codes))


def claim(command: Command, desk: Desk, name: str, wallet: str = "") -> Claimed:
    """Take a reward for points of a wallet, where none is named of the one that the reward is paid from.

    Raises Refused 404, 403 `other_tier`, 409 `out_of_stock`, `limit_reached` or `insufficient_points`, 422
    `no_such_price`.
    """
    reward = _reward(command, desk, name)
    member, _programme = member_and_programme(command, desk)
    if not reward.active:
        raise not_found("reward", name)
    if reward.tiers and member.tier not in reward.tiers:
        raise Refused("other_tier", f"only for {', '.join(sorted(reward.tiers))}", status=403)
    mine = [v for v in desk.vouchers.values() if v.customer == member.customer and v.reward == name]
    taken = [voucher for voucher in mine if voucher.redemption]
    if reward.per_member is not None and sum(v.status != "returned" for v in taken) >= reward.per_member:
        raise Refused("limit_reached", f"{reward.per_member} for each member", status=409)
    wallet = wallet or reward.paid_from
    price = reward.price_for(member.tier, wallet)
    if price is None:
        raise Refused("no_such_price", f"{name} has no price in {wallet}", pointer="/wallet")
    if not vouchers.take_one(command.account, name, reward, desk):
        raise Refused("out_of_stock", f"no {reward.name} is left", status=409)
    spent = redemptions.redeem(command, desk, price, wallet=wallet)
    owner = (command.account, command.customer)
    issued = vouchers.issue(owner, voucher_id(spent.id), name, reward, spent.id, desk)
    fact = RewardClaimed(
        reward=name,
        voucher=issued.id,
        kind=reward.kind,
        points=spent.points,
        balance=spent.balance,
        expires_at=issued.expires_at,
        wallet=wallet,
    )
    desk.emit(fact)
    return replace(_told(issued, spent.points, spent.balance), wallet=wallet)


def give_back(command: Command, desk: Desk, name: str) -> Claimed:
    """Return an unused voucher for its points.

    Raises Refused 404, 409 `voucher_used`, `_returned` or `_expired`, or `not_paid_for` for one that was given.
    """
    voucher = vouchers.named(command, desk, name)
    if not voucher.redemption:
        raise Refused("not_paid_for", f"{voucher.id} was given, and cost no points", status=409)
    undone = redemptions.reverse(command, desk, voucher.redemption)
    returned = vouchers.put_back(voucher, desk.rewards[command.account, voucher.reward].body, desk)
    points, balance, wallet = undone.points, undone.balance, undone.wallet
    desk.emit(RewardReturned(reward=voucher.reward, voucher=voucher.id, points=points, balance=balance, wallet=wallet))
    return replace(_told(returned, points, balance), wallet=wallet)


def revoke_after_fall(event: Event[TierDowngraded], desk: Desk) -> None:
    """Take unused vouchers of rewards that are for higher tiers back for their points, where these say so."""
    member = desk.members[event.account, event.customer]
    mine = [one for one in desk.vouchers.values() if (one.account, one.customer) == (event.account, event.customer)]
    for voucher in [one for one in mine if one.status == "issued"]:
        reward = desk.rewards[event.account, voucher.reward].body
        if reward.on_fall == "revoke" and reward.tiers and member.tier not in reward.tiers:
            _revoke(event, voucher, reward, desk)


def _revoke(event: Event[TierDowngraded], voucher: Voucher, reward: Reward, desk: Desk) -> None:
    vouchers.put_back(voucher, reward, desk)
    points, wallet = 0, MAIN
    paid = desk.redemptions.get((event.account, voucher.redemption))
    if paid is not None and not paid.reversed_by:
        points, wallet = paid.points, wallet_of(paid.customer)
        programme = desk.programmes(event.account, event.store).at(desk.now).of(wallet)
        holder = desk.members[event.account, paid.customer]
        cause = Cause(new_id("txn"), "reverse", voucher.id, event.time, desk.now)
        done, _after = redemptions.give_back(paid, points, holder, programme, cause, desk)
        desk.put_redemption(replace(paid, reversed_by=done.transaction.id, returned=points))
    balance = desk.members[event.account, in_wallet(event.customer, wallet)].available
    desk.emit(RewardReturned(reward=voucher.reward, voucher=voucher.id, points=points, balance=balance, wallet=wallet))


def use(command: Command, desk: Desk, name: str, order: str) -> Claimed:
    """Honour a voucher's code once; raises Refused 404, 409 `voucher_used`, `_returned` or `_expired`."""
    voucher = vouchers.use(vouchers.named(command, desk, name), order, desk)
    member, _programme = member_and_programme(command, desk)
    return _told(voucher, 0, member.available)


def use_coupons(event: Event[OrderFact], desk: Desk) -> None:
    """The codes of vouchers that an order names are used."""
    for code in event.fact.order.coupons:
        known = desk.codes.get((event.account, catalogue.key_of(code)))
        voucher = None if known is None else desk.vouchers.get((event.account, known.voucher))
        if voucher is not None and voucher.status in {"issued", "held"}:
            vouchers.use(voucher, order_ref(event), desk)


def voucher_id(redemption: str) -> str:
    """The id of the voucher that the points of a redemption paid for, if they paid for one."""
    return f"vch_{redemption.removeprefix('red_')}"


def _reward(command: Command, desk: Desk, name: str) -> Reward:
    row = desk.rewards.get((command.account, name))
    if row is None:
        raise not_found("reward", name)
    return row.body


def _told(voucher: Voucher, points: int, balance: int) -> Claimed:
    return Claimed(
        id=voucher.id,
        reward=voucher.reward,
        code=voucher.code,
        customer=voucher.customer,
        status=voucher.status,
        points=points,
        redemption=voucher.redemption,
        expires_at=voucher.expires_at,
        balance=balance,
    )
