"""What a programme says of referrals: whom a friend counts for, what both get, what makes a referral doubtful."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from services.loyalty.rules import Cap

Points = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Days = Annotated[int, msgspec.Meta(ge=0, le=3_650)]
Score = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
RewardId = Annotated[str, msgspec.Meta(pattern=r"^(rwd_[A-Za-z0-9_-]{1,80})?$")]
Reason = Literal[
    "same_email",
    "similar_email",
    "same_phone",
    "same_device",
    "same_address",
    "same_card",
    "same_ip",
    "cycle",
    "velocity",
]
WEIGHTS: dict[Reason, int] = {
    "same_email": 100,
    "similar_email": 40,
    "same_phone": 80,
    "same_device": 60,
    "same_address": 50,
    "same_card": 100,
    "same_ip": 20,
    "cycle": 100,
    "velocity": 50,
}


class FriendReward(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points for both sides when a friend signs up, orders first, or orders at all, and vouchers of the catalogue.

    An order counts while `least` (minor units) of its goods is kept; `cap` limits the points that a referrer gets.
    `referrer_reward` and `friend_reward` are ids of rewards whose codes are made, not of a pool.
    """

    when: Literal["signup", "first_order", "every_order"]
    referrer: Points = 0
    friend: Points = 0
    referrer_reward: RewardId = ""
    friend_reward: RewardId = ""
    least: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 1
    cap: Cap | None = None


class Milestone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points for the `friends`th friend whose first order is kept."""

    friends: Annotated[int, msgspec.Meta(ge=1, le=10**6)]
    points: Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class Referrals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How members bring friends.

    A friend counts for the `first` or `last` member by whose `link` it came within `window_days`; a typed code beats
    links. What is earned is pending for `return_days`. The `weights` of what is suspicious add up to a score: from
    `review_at` on the shop decides, from `reject_at` on it is turned down at once. More than `velocity_friends` in
    `velocity_days` are suspicious. A member may send `invitations_per_day`; 0 means none at all.
    """

    rewards: tuple[FriendReward, ...]
    milestones: tuple[Milestone, ...] = ()
    touch: Literal["first", "last"] = "last"
    window_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 30
    return_days: Days = 14
    weights: Mapping[Reason, Score] = msgspec.field(default_factory=dict)
    review_at: Score = 50
    reject_at: Score = 100
    velocity_friends: Annotated[int, msgspec.Meta(ge=1, le=10**6)] = 5
    velocity_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 1
    link: Annotated[str, msgspec.Meta(max_length=500)] = ""
    own_codes: bool = False
    invitations_per_day: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0

    def __post_init__(self) -> None:
        """Raises ValueError for two rewards or milestones of one kind, a link without {code}, or a review too late."""
        for found in ([reward.when for reward in self.rewards], [goal.friends for goal in self.milestones]):
            if len(set(found)) < len(found):
                raise ValueError("each kind of reward and each milestone may be there once")
        if self.link and "{code}" not in self.link:
            raise ValueError("a link needs a {code}")
        if self.review_at > self.reject_at:
            raise ValueError("review_at must not be above reject_at")

    def weight(self, reason: Reason) -> int:
        """What a reason adds to the score."""
        return self.weights.get(reason, WEIGHTS[reason])

    def reward_on(self, what: str) -> FriendReward | None:
        """The reward for a sign-up, first or every order, if there is one."""
        return next((reward for reward in self.rewards if reward.when == what), None)

    def link_for(self, code: str) -> str:
        """The link that a member shares; '' where the shop has named none."""
        return self.link.replace("{code}", code)
