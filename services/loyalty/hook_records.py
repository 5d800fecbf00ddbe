"""What loyalty keeps of webhooks that go out: who wants to hear of what, and what is to be told whom."""

from datetime import datetime
from typing import Literal

import msgspec

What = Literal["voucher.issued", "voucher.used", "voucher.returned", "reward.low"]


class Hook(msgspec.Struct, frozen=True):
    """A shop's address that wants to hear of some `events`; its secret is sealed."""

    account: str
    id: str
    url: str
    events: tuple[What, ...]
    secret: bytes
    active: bool
    created_at: datetime


class HookCall(msgspec.Struct, frozen=True):
    """Something to be told one hook, tried next when it is `due` (machine time); `answered`: how the last try went."""

    account: str
    id: str
    hook: str
    event: str
    body: bytes
    made_at: datetime
    due: datetime
    attempts: int = 0
    state: Literal["waiting", "sent", "failed"] = "waiting"
    answered: str = ""
