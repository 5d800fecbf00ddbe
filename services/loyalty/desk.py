"""What a micro-batch has on its desk: members, ratings, lots and programmes, read and written by the set."""

from datetime import datetime

from sqlalchemy import bindparam, update

from services.loyalty import budgets, tables, wallets
from services.loyalty.holders import in_wallet
from services.loyalty.hook_records import Hook, HookCall
from services.loyalty.ledger import Change
from services.loyalty.programmes import Programme
from services.loyalty.records import (
    AuditRow,
    Award,
    Entry,
    Hold,
    Lot,
    Member,
    ProgramVersion,
    Rating,
    Redemption,
    Transaction,
)
from services.loyalty.referral_records import Invitation, Party, Referral, ReferralCode
from services.loyalty.reward_records import Code, RewardRow, Stock, Voucher
from services.loyalty.versions import Versions
from shared.db import Query, Tx
from shared.drafts import Added, Keyed
from shared.errors import Refused, Unavailable
from shared.events import Event
from shared.events.ingest import OrderFact
from shared.workset import WorkSet

Key = tuple[str, str]

HOLD_TIMER = "points.hold"
SPREAD_TIMER = "programme.spread"
FOLLOW_TIMER = "programme.follow"
MATURE_TIMER = "points.mature"
_journal = tables.journal
FORGET = Query(
    update(_journal)
    .where(_journal.c.account == bindparam("of"), _journal.c.customer == bindparam("who"))
    .values(note=None)
)


class Desk(WorkSet):
    """The wallets of all customers of a batch."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.members = Keyed[Key, Member]()
        self.lots = Keyed[Key, Lot]()
        self.ratings = Keyed[Key, Rating]()
        self.redemptions = Keyed[Key, Redemption]()
        self.holds = Keyed[Key, Hold]()
        self.transactions = Added[Transaction]()
        self.entries = Added[Entry]()
        self.forgotten = Added[Key]()
        self.drafts = Added[ProgramVersion]()
        self.awards = Keyed[Key, Award]()
        self.budgets = Keyed[Key, int]()
        self.rewards = Keyed[Key, RewardRow]()
        self.stock = Keyed[Key, Stock]()
        self.vouchers = Keyed[Key, Voucher]()
        self.codes = Keyed[Key, Code]()
        self.new_codes = Added[Code]()
        self.audit = Added[AuditRow]()
        self.hooks = Keyed[Key, Hook]()
        self.hook_calls = Keyed[Key, HookCall]()
        self.parties = Keyed[Key, Party]()
        self.referrals = Keyed[Key, Referral]()
        self.referral_codes = Keyed[Key, ReferralCode]()
        self.new_referral_codes = Added[ReferralCode]()
        self.chosen_codes = Added[ReferralCode]()
        self.invitations = Keyed[Key, Invitation]()
        self.brought: dict[Key, tuple[str, ...]] = {}
        self.recent: dict[Key, int] = {}
        self._referrals_of: dict[Key, dict[str, None]] = {}
        self._referral_of: dict[Key, str] = {}
        self.versions: dict[str, Versions] = {}
        self.budgets_before: dict[Key, int] = {}
        self.free_codes: dict[Key, Code] = {}
        self.rolls: dict[Key, list[str]] = {}
        self.earlier: dict[Key, list[Entry]] = {}
        self._lots_of: dict[Key, dict[str, None]] = {}
        self._rated: set[Key] = set()
        self._ratings_of: dict[Key, dict[str, None]] = {}

    def programmes(self, account: str, store: str) -> Versions:
        """The programme of an account; raises Unavailable while none could be made, its store not being known yet."""
        if account not in self.versions:
            self.store_of(account, store)
        return self.versions[account]

    def zone_of(self, account: str, store: str, programme: Programme) -> str:
        """The zone of a store's clock; the programme's where no store is named."""
        found = self.stores.get((account, store))
        return programme.zone if found is None else found.zone

    def budget_left(self, account: str, programme: Programme) -> int | None:
        """What is left of a programme's budget in the period that runs now; None where it has none."""
        if programme.budget is None:
            return None
        return max(0, self.budgets.get((account, budgets.period_of(programme, programme.budget, self.now))) or 0)

    def draw(self, account: str, programme: Programme, points: int) -> None:
        """Take points out of a programme's budget; what is taken back later does not flow back."""
        left = self.budget_left(account, programme)
        if programme.budget is not None and left is not None and points > 0:
            self.budgets[account, budgets.period_of(programme, programme.budget, self.now)] = left - points

    def loaded_lot(self, lot: Lot) -> None:
        """Take in a lot as it stands in the database."""
        if (lot.account, lot.id) not in self.lots:
            self.lots.loaded((lot.account, lot.id), lot)
        self._lots_of.setdefault((lot.account, lot.customer), {})[lot.id] = None

    def loaded_rating(self, rating: Rating) -> None:
        """Take in a rating as it stands in the database."""
        self.ratings.loaded((rating.account, rating.order_id), rating)
        self._rated.add((rating.account, rating.order_id))
        self._ratings_of.setdefault((rating.account, rating.customer), {})[rating.order_id] = None

    def put_lot(self, lot: Lot) -> None:
        """Put a changed lot on the desk."""
        self.lots[lot.account, lot.id] = lot
        self._lots_of.setdefault((lot.account, lot.customer), {})[lot.id] = None

    def put_rating(self, rating: Rating) -> None:
        """Put a changed rating on the desk."""
        self.ratings[rating.account, rating.order_id] = rating
        self._ratings_of.setdefault((rating.account, rating.customer), {})[rating.order_id] = None

    def lots_of(self, member: Member) -> list[Lot]:
        """A member's lots that are on the desk."""
        names = self._lots_of.get((member.account, member.customer), {})
        lots = [self.lots.get((member.account, name)) for name in names]
        return [lot for lot in lots if lot is not None and lot.customer == member.customer]

    def open_lots(self, member: Member) -> list[Lot]:
        """A member's lots in which something remains."""
        return [lot for lot in self.lots_of(member) if lot.open]

    def ratings_of(self, member: Member) -> list[Rating]:
        """The ratings of a member's orders that are on the desk."""
        names = self._ratings_of.get((member.account, member.customer), {})
        ratings = [self.ratings.get((member.account, name)) for name in names]
        return [rating for rating in ratings if rating is not None and rating.customer == member.customer]

    def spent(self, taken: Redemption | Hold) -> list[Entry]:
        """The legs of the transaction that took the points of a redemption or hold out of their lots."""
        key = (taken.account, taken.txn)
        return self.earlier.get(key) or [leg for leg in self.entries.rows if (leg.account, leg.txn) == key]

    def put_redemption(self, redemption: Redemption) -> None:
        """Put a new or changed redemption on the desk."""
        self.redemptions[redemption.account, redemption.id] = redemption

    def redemptions_for(self, account: str, order: str) -> list[Redemption]:
        """The redemptions on the desk that paid a part of an order."""
        if self.redemptions.empty:
            return []
        return [one for one in self.redemptions.values() if (one.account, one.order_ref) == (account, order)]

    def party(self, account: str, customer: str) -> Party:
        """A customer as referrals see one; somebody new where nothing is on the desk."""
        return self.parties.get((account, customer)) or Party(account, customer)

    def referrals_of(self, account: str, friend: str) -> list[Referral]:
        """The referrals on the desk by which somebody came, the oldest first."""
        names = self._referrals_of.get((account, friend))
        if not names:
            return []
        found = [self.referrals.get((account, name)) for name in names]
        known = [one for one in found if one is not None and one.friend == friend]
        return sorted(known, key=lambda one: (one.created_at, one.id))

    def referral_of(self, account: str, order: str) -> Referral | None:
        """The referral on the desk of which an order is a step."""
        name = self._referral_of.get((account, order))
        found = None if name is None else self.referrals.get((account, name))
        return found if found is not None and any(step.order == order for step in found.body.steps) else None

    def loaded_referral(self, referral: Referral) -> None:
        """Take in a referral as it stands in the database."""
        self.referrals.loaded((referral.account, referral.id), referral)
        self._note_referral(referral)

    def put_referral(self, referral: Referral) -> None:
        """Put a new or changed referral on the desk."""
        self.referrals[referral.account, referral.id] = referral
        self._note_referral(referral)

    def _note_referral(self, referral: Referral) -> None:
        self._referrals_of.setdefault((referral.account, referral.friend), {})[referral.id] = None
        for step in referral.body.steps:
            self._referral_of[referral.account, step.order] = referral.id

    def put_award(self, award: Award) -> None:
        """Put a new award on the desk."""
        self.awards[award.account, award.id] = award

    def awards_of(self, member: Member) -> list[Award]:
        """A member's awards that are on the desk."""
        return [one for one in self.awards.values() if (one.account, one.customer) == (member.account, member.customer)]

    def wallets(self, account: str) -> set[str]:
        """The further wallets that any version of an account's programme knows."""
        found = self.versions.get(account)
        return set() if found is None else found.wallets

    def holder(self, account: str, customer: str, wallet: str) -> Member | None:
        """A customer as the holder of a wallet's points, where anything was ever in it."""
        return self.members.get((account, in_wallet(customer, wallet)))

    def put_member(self, member: Member) -> Member:
        """Put a changed member on the desk."""
        self.members[member.account, member.customer] = member
        return member

    def book(self, change: Change) -> Member:
        """Put a transaction and what it changed on the desk; gives the member as it is afterwards."""
        for lot in change.lots:
            self.put_lot(lot)
        self.transactions.append(change.transaction)
        for entry in change.entries:
            self.entries.append(entry)
        return self.put_member(change.member)

    async def store(self, tx: Tx) -> None:
        """One set-based write for each table."""
        await tx.upsert_many(tables.member, [wallets.row_of(member) for member in self.members.stored])
        await self._store_ratings(tx)
        await tx.upsert_many(tables.lot, self.lots.stored)
        await tx.upsert_many(tables.redemption, self.redemptions.stored)
        await tx.upsert_many(tables.hold, self.holds.stored)
        await self._store_rewards(tx)
        await self._store_referrals(tx)
        await tx.delete_by_keys(tables.award, self.awards.removed)
        await tx.upsert_many(tables.award, self.awards.stored)
        await tx.insert_many(tables.journal, self.transactions.rows)
        await tx.insert_many(tables.entry, self.entries.rows)
        await tx.insert_many(tables.audit, self.audit.rows)
        await tx.upsert_many(tables.hook, self.hooks.stored)
        await tx.upsert_many(tables.hook_call, self.hook_calls.stored)
        if len(await tx.insert_new(tables.program, self.drafts.rows, ("version",))) < len(self.drafts.rows):
            raise Refused("version_conflict", "somebody else changed the programme meanwhile", status=409)
        for account, customer in self.forgotten.rows:
            await tx.execute(FORGET, of=account, who=customer)
        await budgets.store(tx, self.budgets.changed, self.budgets_before)

    async def _store_ratings(self, tx: Tx) -> None:
        """Raises Unavailable, so that the batch is tried again, when somebody else rated an order first meanwhile."""
        changed = self.ratings.changed.items()
        first = [rating for key, rating in changed if rating is not None and key not in self._rated]
        if len(await tx.insert_new(tables.rating, first, ("order_id",))) < len(first):
            raise Unavailable("an order was rated under another customer meanwhile")
        await tx.upsert_many(tables.rating, [rating for key, rating in changed if rating and key in self._rated])

    async def _store_rewards(self, tx: Tx) -> None:
        """Raises Refused when an imported code is there already, Unavailable when one we made is."""
        await tx.upsert_many(tables.reward, self.rewards.stored)
        await tx.upsert_many(tables.stock, self.stock.stored)
        await tx.upsert_many(tables.voucher, self.vouchers.stored)
        await tx.upsert_many(tables.code, self.codes.stored)
        new = self.new_codes.rows
        if len(await tx.insert_new(tables.code, new, ("key",))) < len(new):
            if any(code.voucher for code in new):
                raise Unavailable("a code that we made is taken")
            raise Refused("code_taken", "some of these codes are known already", pointer="/codes")

    async def _store_referrals(self, tx: Tx) -> None:
        """Raises Refused for a chosen code that is taken; Unavailable for one of ours, or one invited meanwhile."""
        await tx.delete_by_keys(tables.referral_party, self.parties.removed)
        await tx.upsert_many(tables.referral_party, self.parties.stored)
        await tx.upsert_many(tables.referral, self.referrals.stored)
        await tx.delete_by_keys(tables.referral_code, self.referral_codes.removed)
        await tx.upsert_many(tables.referral_code, self.referral_codes.stored)
        new, chosen = self.new_referral_codes.rows, self.chosen_codes.rows
        if len(await tx.insert_new(tables.referral_code, new, ("key",))) < len(new):
            raise Unavailable("a code that we made is taken")
        if len(await tx.insert_new(tables.referral_code, chosen, ("key",))) < len(chosen):
            raise Refused("code_taken", "this code is taken", status=409, pointer="/code")
        invited = self.invitations.stored
        if len(await tx.insert_new(tables.invitation, invited, ("digest",))) < len(invited):
            raise Unavailable("somebody else has just invited the same person")


def order_ref(event: Event[OrderFact]) -> str:
    """How redemptions and vouchers name the order of a fact: its store and the store's own id."""
    return f"{event.store}/{event.fact.order.external_id}"
