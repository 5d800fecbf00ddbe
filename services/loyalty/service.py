"""The table of contents of loyalty: what it keeps, what it reacts to, what it answers."""

from services.loyalty import books, deep, routes, tables, wallets
from services.loyalty.awarding import DATES_TIMER, PAID_FOR
from services.loyalty.awards import note_segment, reward_date, reward_fact
from services.loyalty.calling import Calling
from services.loyalty.desk import FOLLOW_TIMER, MATURE_TIMER, SPREAD_TIMER
from services.loyalty.holds import release_overdue
from services.loyalty.hooks import HEARD, note_call
from services.loyalty.orders import take_order
from services.loyalty.referrals.gifts import reward_side
from services.loyalty.referrals.handlers import note_profile, note_touch
from services.loyalty.referrals.joining import forget_member, merge_members
from services.loyalty.referrals.loading import load
from services.loyalty.referrals.rewards import TOLD
from services.loyalty.rewards import revoke_after_fall
from services.loyalty.routes.spending import DIRECT
from services.loyalty.upkeep import (
    announce_expiry,
    expire_lots,
    follow_programme,
    mature_lots,
    review_tier,
    spread_programme,
    warn_of_tier,
)
from shared.events import ingest
from shared.events.loyalty import TierDowngraded
from shared.events.scoring import SegmentEntered, SegmentLeft
from shared.naming import keep_name
from shared.service import Service

loyalty = Service(
    name="loyalty",
    metadata=tables.metadata,
    subjects=tables.member,
    subject_row=wallets.empty_row,
    load=load,
    reactions={
        ingest.OrderPaid: take_order,
        ingest.OrderUpdated: take_order,
        ingest.OrderFulfilled: take_order,
        ingest.OrderDelivered: take_order,
        ingest.OrderCancelled: take_order,
        ingest.OrderRefunded: take_order,
        ingest.OrderDisputed: take_order,
        ingest.OrderDisputeWon: take_order,
        ingest.CustomerNamed: keep_name,
        ingest.CustomerMerged: merge_members,
        ingest.CustomerErased: forget_member,
        SegmentEntered: note_segment,
        SegmentLeft: note_segment,
        **dict.fromkeys(PAID_FOR, reward_fact),
        ingest.ProfileUpdated: note_profile,
        ingest.ReferralClicked: note_touch,
        **dict.fromkeys(TOLD, reward_side),
        **dict.fromkeys(HEARD, note_call),
        TierDowngraded: revoke_after_fall,
    },
    timers={
        MATURE_TIMER: mature_lots,
        "points.expire": expire_lots,
        "points.expiring": announce_expiry,
        "points.hold": release_overdue,
        "tier.review": review_tier,
        "tier.warning": warn_of_tier,
        SPREAD_TIMER: spread_programme,
        FOLLOW_TIMER: follow_programme,
        DATES_TIMER: reward_date,
    },
    loops={"webhooks": Calling},
    router=routes.router,
    direct=DIRECT,
    prefixes=(
        "/v1/members",
        "/v1/holds",
        "/v1/redemptions",
        "/v1/transactions",
        "/v1/transfers",
        "/v1/programs",
        "/v1/evaluations",
        "/v1/ratings",
        "/v1/rewards",
        "/v1/webhooks",
        "/v1/exports",
        "/v1/referrals",
        "/v1/vouchers",
        "/v1/reports",
        "/v1/imports",
        "/v1/audit-events",
    ),
    audit=books.audit,
    deep=deep.audit,
)
