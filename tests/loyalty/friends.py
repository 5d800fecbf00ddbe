"""A shop whose members bring friends: what its judgement tells of referrals goes round, as it does by the bus."""

from collections.abc import Mapping
from typing import Any

from services.loyalty.programmes import Programme
from services.loyalty.records import Note
from services.loyalty.referral_records import Referral
from services.loyalty.referrals import links, review
from services.loyalty.referrals.prints import Kind
from services.loyalty.referring import FriendReward, Referrals
from shared.events.ingest import CustomerMerged, Order, ReferralClicked
from shared.events.loyalty import ReferralFact
from tests.loyalty.shop import Shop, programme

FIRST = FriendReward(when="first_order", referrer=500, friend=300, least=2_000)


def terms(*rewards: FriendReward, **changes: Any) -> Referrals:
    """What a programme says of referrals."""
    return Referrals(rewards=rewards or (FIRST,), **changes)


def with_friends(*rewards: FriendReward, debt: str = "allow_negative", **changes: Any) -> Programme:
    """A programme that pays for friends and for nothing else."""
    return programme(rules=(), debt=debt, referrals=terms(*rewards, **changes))


class Circle(Shop):
    """Ana and her friends; codes are the members' own names in capitals."""

    def __init__(self, found: Programme | None = None) -> None:
        super().__init__(found or with_friends(own_codes=True))
        self._told = 0
        self._coded = 0

    def code(self, name: str = "ana") -> str:
        """A member's code."""
        self.ask(links.given, name)
        return self.desk.party("acc_1", f"cus_{name}").code

    def clicks(self, code: str, name: str = "bea", **how: Any) -> None:
        """Somebody comes by a code."""
        self.hears(ReferralClicked(code=code, **how), name)

    def buys(self, what: Order, name: str = "bea") -> None:
        """An order came to a revision."""
        self.hears_order(what, name)

    def referral(self, name: str = "bea", nth: int = 0) -> Referral:
        """The referral by which somebody came."""
        return self.desk.referrals_of("acc_1", f"cus_{name}")[nth]

    def decides(self, how: Any, name: str = "bea") -> None:
        """The shop decides on a referral."""
        found = self.referral(name)
        self.ask(lambda command, desk: how(command, desk, found.id, Note("looked at", "ops")), name)

    def claims(self, code: str, name: str = "bea", seen: Mapping[Kind, str] | None = None) -> Referral | None:
        """A friend signs up with a code."""
        made: Referral | None = self.ask(lambda command, desk: review.claim(command, desk, code, seen or {}), name)
        return made

    def merge(self, survivor: str, loser: str) -> None:
        """Two customers turned out to be one."""
        self.member(loser)
        self.survivors[f"cus_{loser}"] = f"cus_{survivor}"
        self.hears(CustomerMerged(loser=f"cus_{loser}"), survivor)

    def check(self) -> None:
        """The books; then what was told of referrals is heard by whom it is about."""
        super().check()
        while self._told < len(self.desk.facts.rows):
            event = self.desk.facts.rows[self._told]
            self._told += 1
            if isinstance(event.fact, ReferralFact):
                owner = self.survivors.get(event.customer, event.customer)
                self.hears(event.fact, owner.removeprefix("cus_"))

    def _judge(self, act: Any, work: Any, name: str) -> Any:
        for referrer in {code.customer for code in self.desk.referral_codes.values()}:
            self.desk.brought["acc_1", referrer] = self._above(referrer)
            made = [one for one in self.desk.referrals.values() if one.referrer == referrer]
            self.desk.recent["acc_1", referrer] = sum((self.now - one.created_at).days < 1 for one in made)
        for code in self.desk.new_referral_codes.rows[self._coded :]:
            self.desk.referral_codes.loaded((code.account, code.key), code)
        self._coded = len(self.desk.new_referral_codes.rows)
        return super()._judge(act, work, name)

    def _above(self, referrer: str) -> tuple[str, ...]:
        found: list[str] = []
        while (above := self._brought_by(referrer)) and above not in found:
            found.append(above)
            referrer = above
        return tuple(found)

    def _brought_by(self, friend: str) -> str:
        found = [one.referrer for one in self.desk.referrals_of("acc_1", friend) if one.status != "rejected"]
        return self.survivors.get(found[0], found[0]) if found else ""
