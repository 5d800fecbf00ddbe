"""Webhooks that go out: a shop hears of codes that were issued, used and returned, and of rewards that run out."""

import base64
import secrets
from datetime import datetime
from typing import Any
from uuid import uuid5

import msgspec
from msgspec.structs import replace

from services.loyalty.desk import Desk
from services.loyalty.hook_records import Hook, HookCall, What
from services.loyalty.reward_records import coupon_of
from shared.clock import machine_now
from shared.db import new_id
from shared.errors import not_found
from shared.events import Event, Fact
from shared.events.base import NAMESPACE
from shared.events.loyalty import RewardClaimed, RewardLow, RewardReturned, RewardUsed
from shared.workset import Command

HEARD: dict[type[Fact], What] = {
    RewardClaimed: "voucher.issued",
    RewardUsed: "voucher.used",
    RewardReturned: "voucher.returned",
    RewardLow: "reward.low",
}
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """The body of a call, after the Standard Webhooks specification."""

    type: str
    timestamp: datetime
    data: Any


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A hook as the API tells it when it is made: the only time that its secret is shown."""

    id: str
    url: str
    events: tuple[What, ...]
    secret: str


class Stopped(msgspec.Struct, frozen=True):
    """A hook that is told nothing any more."""

    id: str


class Retried(msgspec.Struct, frozen=True):
    """A call that is made once more."""

    id: str
    state: str


def new_secret() -> str:
    """192 random bits, as Standard Webhooks writes secrets."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def make(command: Command, desk: Desk, url: str, events: tuple[What, ...], secret: str, sealed: bytes) -> Made:
    """Add a hook."""
    made = Hook(command.account, new_id("hook"), url, events, sealed, active=True, created_at=desk.now)
    desk.hooks[made.account, made.id] = made
    return Made(id=made.id, url=url, events=events, secret=secret)


def stop(command: Command, desk: Desk, name: str) -> Stopped:
    """Tell a hook nothing any more; raises Refused 404."""
    hook = desk.hooks.get((command.account, name))
    if hook is None or not hook.active:
        raise not_found("webhook", name)
    desk.hooks[command.account, name] = replace(hook, active=False)
    return Stopped(name)


def again(command: Command, desk: Desk, name: str) -> Retried:
    """Try a call anew from its first attempt on, at once; raises Refused 404."""
    call = desk.hook_calls.get((command.account, name))
    if call is None:
        raise not_found("call", name)
    desk.hook_calls[command.account, name] = replace(call, due=machine_now(), attempts=0, state="waiting")
    return Retried(name, "waiting")


def note_call(event: Event[Any], desk: Desk) -> None:
    """Have every hook of the account told that wants to hear of this."""
    what = HEARD[type(event.fact)]
    for hook in list(desk.hooks.values()):
        if hook.account == event.account and hook.active and what in hook.events:
            body = _encode(Told(what, event.time, _data(event, desk)))
            name = f"msg_{uuid5(NAMESPACE, f'{event.id}|{hook.id}').hex}"
            desk.hook_calls[event.account, name] = HookCall(
                event.account, name, hook.id, what, body, desk.now, machine_now()
            )


def _data(event: Event[Any], desk: Desk) -> Any:
    reward = desk.rewards[event.account, event.fact.reward].body
    if isinstance(event.fact, RewardLow):
        return {"reward": event.fact.reward, "name": reward.name, "remaining": event.fact.remaining}
    return coupon_of(desk.vouchers[event.account, event.fact.voucher], reward)
