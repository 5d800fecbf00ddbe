"""Facts of loyalty: points, tiers and rewards."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.events.base import Fact, fact

TOPIC = "loyalty"
MAIN_WALLET = "points"


@fact
class OrderRated(Fact, frozen=True, kw_only=True):
    """What an order brings in points at its newest revision, zero included, and by how much that changed.

    For the main `wallet` it is told each time, for a further one when what the order brings into it has changed.
    """

    type: ClassVar[str] = "order.rated"
    topic: ClassVar[str] = TOPIC
    program: str
    order: str
    revision: int
    points: int
    change: int
    balance: int
    available_at: datetime | None = None
    wallet: str = MAIN_WALLET


@fact
class PointsEarned(Fact, frozen=True, kw_only=True):
    """Points for something other than an order, by one rule: a review, a birthday, a friend."""

    type: ClassVar[str] = "points.earned"
    topic: ClassVar[str] = TOPIC
    program: str
    rule: str
    award: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class PointsActivated(Fact, frozen=True, kw_only=True):
    """Pending points became available."""

    type: ClassVar[str] = "points.activated"
    topic: ClassVar[str] = TOPIC
    program: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class PointsRedeemed(Fact, frozen=True, kw_only=True):
    """Points were spent."""

    type: ClassVar[str] = "points.redeemed"
    topic: ClassVar[str] = TOPIC
    program: str
    transaction: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class PointsReturned(Fact, frozen=True, kw_only=True):
    """Points that paid a part of an order came back with its refund; `expired` of them had run out meanwhile."""

    type: ClassVar[str] = "points.returned"
    topic: ClassVar[str] = TOPIC
    program: str
    redemption: str
    order: str
    points: int
    balance: int
    expired: int = 0
    wallet: str = MAIN_WALLET


@fact
class RewardClaimed(Fact, frozen=True, kw_only=True):
    """A member took a reward for points; whoever may know the code asks for the voucher."""

    type: ClassVar[str] = "reward.claimed"
    topic: ClassVar[str] = TOPIC
    reward: str
    voucher: str
    kind: str
    points: int
    balance: int
    expires_at: datetime | None = None
    wallet: str = MAIN_WALLET


@fact
class RewardReturned(Fact, frozen=True, kw_only=True):
    """A member gave an unused reward back for its points."""

    type: ClassVar[str] = "reward.returned"
    topic: ClassVar[str] = TOPIC
    reward: str
    voucher: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class RewardUsed(Fact, frozen=True, kw_only=True):
    """The code of a claimed reward was used, in the order `order_ref` (store/its id) where that is known."""

    type: ClassVar[str] = "reward.used"
    topic: ClassVar[str] = TOPIC
    reward: str
    voucher: str
    order_ref: str = ""


@fact
class RewardLow(Fact, frozen=True, kw_only=True):
    """A reward is running out: so many are left."""

    type: ClassVar[str] = "reward.low"
    topic: ClassVar[str] = TOPIC
    reward: str
    remaining: int


@fact
class PointsExpired(Fact, frozen=True, kw_only=True):
    """Points ran out of time."""

    type: ClassVar[str] = "points.expired"
    topic: ClassVar[str] = TOPIC
    program: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class PointsExpiring(Fact, frozen=True, kw_only=True):
    """Points will expire at `expires_at` if they are not spent."""

    type: ClassVar[str] = "points.expiring"
    topic: ClassVar[str] = TOPIC
    program: str
    points: int
    expires_at: datetime
    wallet: str = MAIN_WALLET


@fact
class TierUpgraded(Fact, frozen=True, kw_only=True):
    """A member rose to a higher tier."""

    type: ClassVar[str] = "tier.upgraded"
    topic: ClassVar[str] = TOPIC
    program: str
    tier: str
    previous: str


@fact
class TierDowngraded(Fact, frozen=True, kw_only=True):
    """A member fell to a lower tier when the grace period was over."""

    type: ClassVar[str] = "tier.downgraded"
    topic: ClassVar[str] = TOPIC
    program: str
    tier: str
    previous: str


@fact
class TierDowngradeScheduled(Fact, frozen=True, kw_only=True):
    """A member will fall to `falls_to` at `falls_at` unless `missing` more of what counts for tiers comes before."""

    type: ClassVar[str] = "tier.downgrade_scheduled"
    topic: ClassVar[str] = TOPIC
    program: str
    tier: str
    falls_to: str
    falls_at: datetime
    missing: int


@fact
class TierExtended(Fact, frozen=True, kw_only=True):
    """A member who was warned keeps the tier after all: until `until`, or for as long as is known (None)."""

    type: ClassVar[str] = "tier.extended"
    topic: ClassVar[str] = TOPIC
    program: str
    tier: str
    until: datetime | None = None


@fact
class PointsTransferred(Fact, frozen=True, kw_only=True):
    """A member gave points to another (`to`)."""

    type: ClassVar[str] = "points.transferred"
    topic: ClassVar[str] = TOPIC
    program: str
    to: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


class ReferralFact(Fact, frozen=True, kw_only=True):
    """A friend's sign-up (`order` '', `number` 0) or order, the `number`th, as one `side` of the referral is told it.

    `kept` is what of it counts, minor units of the programme's currency (1 for a sign-up), judged by `program_version`;
    `friends` says by how many it changes the friends that the referrer has brought.
    """

    topic: ClassVar[str] = TOPIC
    program: str
    program_version: int
    referral: str
    side: Literal["referrer", "friend"]
    order: str = ""
    number: int = 0
    kept: int = 0
    friends: int = 0


@fact
class ReferralQualified(ReferralFact, frozen=True, kw_only=True):
    """A friend whom a member has brought did something that may bring both of them rewards."""

    type: ClassVar[str] = "referral.qualified"


@fact
class ReferralReversed(ReferralFact, frozen=True, kw_only=True):
    """What a referral was rewarded for counts no longer: it was given back, or the referral was turned down."""

    type: ClassVar[str] = "referral.reversed"


class ReferralJudged(Fact, frozen=True, kw_only=True):
    """A referral was judged: how suspicious it is (`score`), and why."""

    topic: ClassVar[str] = TOPIC
    referral: str
    referrer: str
    score: int = 0
    reasons: tuple[str, ...] = ()


@fact
class ReferralApproved(ReferralJudged, frozen=True, kw_only=True):
    """A referral counts, by itself or since the shop has said so."""

    type: ClassVar[str] = "referral.approved"


@fact
class ReferralHeld(ReferralJudged, frozen=True, kw_only=True):
    """A referral waits for the shop to decide."""

    type: ClassVar[str] = "referral.held"


@fact
class ReferralRejected(ReferralJudged, frozen=True, kw_only=True):
    """A referral does not count."""

    type: ClassVar[str] = "referral.rejected"


@fact
class PointsReversed(Fact, frozen=True, kw_only=True):
    """Points for something other than an order were taken back, since it counts no longer."""

    type: ClassVar[str] = "points.reversed"
    topic: ClassVar[str] = TOPIC
    program: str
    rule: str
    award: str
    points: int
    balance: int
    wallet: str = MAIN_WALLET


@fact
class FriendInvited(Fact, frozen=True, kw_only=True):
    """A member asks that a friend be invited: personal data, of somebody who is no customer (`inv_…`) yet.

    `giver` is the name that the member goes by; `link` leads to the shop with the member's code.
    """

    type: ClassVar[str] = "friend.invited"
    topic: ClassVar[str] = TOPIC
    archived: ClassVar[bool] = False
    email: str
    giver: str
    link: str = ""
    locale: str = ""
