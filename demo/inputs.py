"""What reaches the shop's systems and is passed on: signed webhooks and calls of an SDK, each with its moment."""

from datetime import datetime
from typing import Any

import msgspec


class Webhook(msgspec.Struct, frozen=True):
    """A webhook of the store platform; `person` is the shop's number of whom it is about."""

    at: datetime
    person: int
    topic: str
    body: dict[str, Any]


class Call(msgspec.Struct, frozen=True):
    """One call of the Segment SDK: `kind` is track, page or identify, `event` the name of a track or page call.

    `visitor` is the browser's anonymous id, `user` the shop's number of a customer or '' before she has one.
    """

    at: datetime
    kind: str
    visitor: str
    user: str
    event: str
    content: dict[str, Any]


Input = Webhook | Call
