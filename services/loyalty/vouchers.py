"""The life of a voucher: issued with a code, held while a checkout is open, used when it is paid, or taken back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.loyalty import catalogue
from services.loyalty.catalogue import Reward
from services.loyalty.desk import Desk, Key
from services.loyalty.reward_records import Code, Voucher
from shared.errors import Refused, not_found
from shared.events.loyalty import RewardLow, RewardUsed
from shared.workset import Command


def issue(owner: Key, made: str, name: str, reward: Reward, redemption: str, desk: Desk) -> Voucher:
    """Make a voucher with a code, of the pool where the reward has one; `redemption` is '' for one that is given."""
    account, customer = owner
    until = None if reward.valid_days is None else desk.now + timedelta(days=reward.valid_days)
    free = desk.free_codes.get((account, name))
    code = free.code if free is not None else catalogue.new_code(reward.pattern)
    voucher = Voucher(account, made, customer, name, code, redemption, "issued", "", desk.now, until)
    row = Code(account, catalogue.key_of(code), code, name, made)
    if free is None:
        desk.new_codes.append(row)
    else:
        desk.codes[account, row.key] = row
    desk.vouchers[account, made] = voucher
    return voucher


def put_back(voucher: Voucher, reward: Reward, desk: Desk) -> Voucher:
    """Take an unused voucher back; there is one more of a limited reward then, unless its codes were the pool's."""
    returned = replace(voucher, status="returned")
    desk.vouchers[voucher.account, voucher.id] = returned
    held = desk.stock.get((voucher.account, voucher.reward))
    if held is not None and reward.codes == "generated":
        desk.stock[voucher.account, voucher.reward] = replace(held, remaining=held.remaining + 1)
    return returned


def take_one(account: str, name: str, reward: Reward, desk: Desk) -> bool:
    """Take one of a limited reward; False when none is left."""
    held = desk.stock.get((account, name))
    if held is None:
        return True
    if held.remaining < 1:
        return False
    desk.stock[account, name] = replace(held, remaining=held.remaining - 1)
    watch(name, reward, held.remaining, held.remaining - 1, desk)
    return True


def watch(name: str, reward: Reward, before: int, left: int, desk: Desk) -> None:
    """Tell the shop, once each time, that what is left has come down to the reward's threshold."""
    if left <= reward.alert_at < before:
        desk.emit(RewardLow(reward=name, remaining=left), customer="")


def usable(voucher: Voucher, now: datetime) -> Voucher:
    """The same voucher; raises Refused 409 `voucher_used`, `_held`, `_returned` or `_expired`."""
    if voucher.status != "issued":
        raise Refused(f"voucher_{voucher.status}", f"{voucher.id} was {voucher.status}", status=409)
    if voucher.expires_at is not None and voucher.expires_at <= now:
        raise Refused("voucher_expired", f"{voucher.id} was good until {voucher.expires_at.isoformat()}", status=409)
    return voucher


def named(command: Command, desk: Desk, name: str) -> Voucher:
    """A usable voucher by its id; raises Refused 404, and 409 as `usable`."""
    voucher = desk.vouchers.get((command.account, name))
    if voucher is None:
        raise not_found("voucher", name)
    return usable(voucher, desk.now)


def use(voucher: Voucher, order: str, desk: Desk) -> Voucher:
    """Mark a voucher as used in an order (store/its id, '' where that is not known)."""
    used = replace(voucher, status="used", order_ref=order)
    desk.vouchers[voucher.account, voucher.id] = used
    desk.emit(RewardUsed(reward=voucher.reward, voucher=voucher.id, order_ref=order), customer=voucher.customer)
    return used


def hold(command: Command, desk: Desk, names: Sequence[str]) -> tuple[str, ...]:
    """Set vouchers aside; raises Refused as `named`, 404 for another member's, 422 `not_combinable`."""
    wanted = [named(command, desk, name) for name in names]
    for voucher in wanted:
        if voucher.customer != command.customer:
            raise not_found("voucher", voucher.id)
    rewards = [(one.id, desk.rewards[command.account, one.reward].body) for one in wanted]
    for name, clash in catalogue.clashes(rewards).items():
        raise Refused("not_combinable", f"{name} cannot be combined with {clash}", pointer="/vouchers")
    for voucher in wanted:
        desk.vouchers[command.account, voucher.id] = replace(voucher, status="held")
    return tuple(voucher.id for voucher in wanted)


def held(account: str, names: Sequence[str], desk: Desk) -> list[Voucher]:
    """Those of these vouchers that are still held."""
    found = [desk.vouchers.get((account, name)) for name in names]
    return [one for one in found if one is not None and one.status == "held"]


def let_go(account: str, names: Sequence[str], desk: Desk) -> None:
    """A checkout was left: what was held for it can be used elsewhere."""
    for voucher in held(account, names, desk):
        desk.vouchers[account, voucher.id] = replace(voucher, status="issued")
