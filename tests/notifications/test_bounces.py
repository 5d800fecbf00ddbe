"""An address that does not exist is the one that was written to, whatever address the contact has by now."""

from datetime import time, timedelta
from uuid import uuid4

from services.notifications.channels.base import Fate, Outcome
from services.notifications.desk import SETTLE, Desk
from services.notifications.ledger import note
from services.notifications.policy import Limits
from services.notifications.quiet import QuietHours
from services.notifications.records import Contact, Message, MessageState, Purpose
from shared.workset import Due
from tests.notifications.some import ACCOUNT, ANA, NOON, STORE


def test_who_moved_to_another_address_meanwhile_is_still_reached_there() -> None:
    desk = Desk(NOON, NOON, b"key", Limits(4, timedelta(days=7), QuietHours(time(22), time(8)), 0))
    desk.contacts.loaded((ACCOUNT, ANA), Contact(account=ACCOUNT, customer=ANA, email="n@x.example", address="new"))
    message = Message(
        account=ACCOUNT,
        id="msg_1",
        customer=ANA,
        store=STORE,
        journey="win_back",
        version=1,
        step="win_back",
        key="k",
        subject="k",
        channel="email",
        purpose=Purpose.MARKETING,
        state=MessageState.HANDING_OVER,
        detail="",
        attempts=1,
        valid_until=NOON,
        claimed_at=NOON,
        address="old",
    )
    desk.messages.loaded((ACCOUNT, message.id), message)
    due = Due(account=ACCOUNT, customer=ANA, store=STORE, kind=SETTLE, name="msg_1", due=NOON, id=uuid4(), payload={})
    desk.begin(due)
    note(desk, message, Outcome(Fate.REFUSED, "550 no such user", no_such_address=True))
    desk.keep()
    assert {(row.address, row.reason) for row in desk.suppressions.values()} == {("old", "hard_bounce")}
