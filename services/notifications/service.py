"""The table of contents of notifications: what it keeps, what it reacts to, what it sends."""

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from services.notifications import books, routes, tables
from services.notifications.desk import HAND_OVER, HOUSE, RETRY, SETTLE, STEP
from services.notifications.handlers import (
    change_consent,
    follow,
    follow_order,
    forget_customer,
    merge_contacts,
    update_profile,
)
from services.notifications.invitees import FORGET, forget, invite
from services.notifications.ledger import leave_claimed, settle, try_again
from services.notifications.loading import load
from services.notifications.outgoing import HandOver
from services.notifications.records import Contact
from services.notifications.settings import MessageSettings
from services.notifications.steps import take_step
from shared.events import ingest
from shared.events.loyalty import (
    FriendInvited,
    OrderRated,
    PointsEarned,
    PointsExpired,
    PointsExpiring,
    PointsRedeemed,
    PointsReversed,
    TierDowngraded,
    TierUpgraded,
)
from shared.events.scoring import SegmentEntered
from shared.naming import keep_name
from shared.service import Service

if TYPE_CHECKING:
    from shared.running import Running


def new_contact(account: str, customer: str, now: datetime) -> Contact:
    """Somebody of whom nothing is known yet."""
    return Contact(account=account, customer=customer)


async def prepare(running: "Running") -> None:
    """Make the key of hashes and tokens at the first start, and keep the limits as they are set now."""
    limits = MessageSettings().limits()
    async with running.db.write() as tx:
        fresh = ("notifications", secrets.token_bytes(32), limits)
        await tx.insert_many(tables.house, [fresh], ignore_conflicts=True)
        row = await tx.fetch_one(HOUSE)
        if row is not None and row[1] != limits:
            await tx.upsert_many(tables.house, [("notifications", row[0], limits)])


notifications = Service(
    name="notifications",
    metadata=tables.metadata,
    subjects=tables.contact,
    subject_row=new_contact,
    load=load,
    reactions={
        **dict.fromkeys(ingest.ORDER_FACTS, follow_order),
        ingest.CartUpdated: follow,
        ingest.CartEmptied: follow,
        ingest.CartEnded: follow,
        OrderRated: follow,
        PointsExpiring: follow,
        PointsRedeemed: follow,
        PointsExpired: follow,
        PointsEarned: follow,
        PointsReversed: follow,
        FriendInvited: invite,
        TierUpgraded: follow,
        TierDowngraded: follow,
        SegmentEntered: follow,
        ingest.ProfileUpdated: update_profile,
        ingest.ConsentChanged: change_consent,
        ingest.CustomerNamed: keep_name,
        ingest.CustomerMerged: merge_contacts,
        ingest.CustomerErased: forget_customer,
    },
    timers={
        STEP: take_step,
        RETRY: try_again,
        HAND_OVER: leave_claimed,
        SETTLE: settle,
        FORGET: forget,
    },
    loops={"hand over": HandOver},
    router=routes.router,
    prefixes=(
        "/v1/contacts",
        "/v1/messages",
        "/v1/decisions",
        "/v1/suppressions",
        "/v1/journeys",
        "/u",
        "/p",
    ),
    audit=books.audit,
    on_start=prepare,
)
