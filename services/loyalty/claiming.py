"""What a batch needs of rewards, vouchers and webhooks: nothing is asked where nobody claims, uses or listens."""

from collections.abc import Sequence
from typing import TypeGuard

from sqlalchemy import bindparam, select

from services.loyalty import tables
from services.loyalty.catalogue import key_of
from services.loyalty.desk import Desk, Key
from services.loyalty.hook_records import Hook, HookCall
from services.loyalty.reward_records import Code, RewardRow, Stock, Voucher
from shared.db import Query, Tx
from shared.events import Event
from shared.events.ingest import ORDER_FACTS, OrderFact
from shared.events.loyalty import RewardClaimed, RewardLow, RewardReturned, RewardUsed, TierDowngraded
from shared.workset import Command, Work

HOOK = "hook:"
TOLD = (RewardClaimed, RewardUsed, RewardReturned, RewardLow)
_code = tables.code
FREE_CODE = Query(
    select(*_code.columns)
    .where(_code.c.account == bindparam("account"), _code.c.reward == bindparam("reward"), _code.c.voucher == "")
    .order_by(_code.c.key)
    .limit(1)
)


async def load_rewards(tx: Tx, desk: Desk, work: Sequence[Work]) -> set[Key]:
    """What calls about vouchers need, those whose codes orders name, those of who falls; gives their redemptions."""
    asked = named_by(work)
    coupons = {(item.account, key_of(code)) for item in order_facts(work) for code in item.fact.order.coupons}
    codes = await tx.fetch_by_keys(tables.code, coupons, Code)
    for code in codes:
        desk.codes.loaded((code.account, code.key), code)
    vouchers = {key for key in asked if key[1].startswith("vch_")} | {(c.account, c.voucher) for c in codes}
    for voucher in await tx.fetch_by_keys(tables.voucher, vouchers, Voucher, lock="wait"):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    fallen = {
        (item.account, item.customer) for item in work if type(item) is Event and type(item.fact) is TierDowngraded
    }
    for voucher in await tx.fetch_by_keys(tables.voucher, fallen, Voucher, by=("account", "customer"), lock="wait"):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    called = [one for one in desk.vouchers.values() if (one.account, one.id) in asked or _unused(one, fallen)]
    await _load_catalogue(tx, desk, work, {(one.account, one.reward) for one in called})
    return {(voucher.account, voucher.redemption) for voucher in called}


def _unused(voucher: Voucher, owners: set[Key]) -> bool:
    return voucher.status == "issued" and (voucher.account, voucher.customer) in owners


async def _load_catalogue(tx: Tx, desk: Desk, work: Sequence[Work], given: set[Key]) -> None:
    """Rewards that calls are about, their stock locked, the caller's own vouchers, and one free code of each pool."""
    calls = [item for item in work if type(item) is Command and item.about.startswith("rwd_")]
    wanted = given | {(call.account, call.about) for call in calls}
    for row in await tx.fetch_by_keys(tables.reward, wanted, RewardRow):
        desk.rewards.loaded((row.account, row.id), row)
    for stock in await tx.fetch_by_keys(tables.stock, wanted, Stock, lock="wait"):
        desk.stock.loaded((stock.account, stock.reward), stock)
    claimants = {(call.account, call.customer) for call in calls if call.customer}
    for voucher in await tx.fetch_by_keys(tables.voucher, claimants, Voucher, by=("account", "customer")):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    for row in desk.rewards.values():
        if row.body.codes == "pool" and claimants:
            free = await tx.fetch_one(FREE_CODE, account=row.account, reward=row.id)
            if free is not None:
                desk.free_codes[row.account, row.id] = Code(*free)


async def load_hooks(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The webhooks of accounts of which something happened that they may want to hear, with what they are told of."""
    heard = [item for item in work if type(item) is Event and type(item.fact) in TOLD]
    accounts = {(item.account,) for item in heard}
    for hook in await tx.fetch_by_keys(tables.hook, accounts, Hook, by=("account",)):
        desk.hooks.loaded((hook.account, hook.id), hook)
    named = {(item.account, item.about.removeprefix(HOOK)) for item in work if _about_hook(item)}
    for hook in await tx.fetch_by_keys(tables.hook, named, Hook):
        desk.hooks.loaded((hook.account, hook.id), hook)
    for call in await tx.fetch_by_keys(tables.hook_call, named, HookCall, lock="wait"):
        desk.hook_calls.loaded((call.account, call.id), call)
    listening = {hook.account for hook in desk.hooks.values()}
    heard = [item for item in heard if item.account in listening]
    for row in await tx.fetch_by_keys(tables.reward, {(item.account, item.fact.reward) for item in heard}, RewardRow):
        desk.rewards.loaded((row.account, row.id), row)
    wanted = {(item.account, item.fact.voucher) for item in heard if not isinstance(item.fact, RewardLow)}
    for voucher in await tx.fetch_by_keys(tables.voucher, wanted, Voucher):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)


def named_by(work: Sequence[Work]) -> set[Key]:
    """The ids of the things that calls name."""
    return {(item.account, name) for item in work if type(item) is Command for name in item.about.split()}


def _about_hook(item: Work) -> TypeGuard[Command]:
    return type(item) is Command and item.about.startswith(HOOK)


def order_facts(work: Sequence[Work]) -> list[Event[OrderFact]]:
    """The facts of a batch that are about orders."""
    return [item for item in work if type(item) is Event and type(item.fact) in ORDER_FACTS]
