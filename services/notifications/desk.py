"""What a micro-batch has on its desk: contacts, runs, messages and suppressions, loaded and stored by the set."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import bindparam, select, update

from services.notifications import tables
from services.notifications.engine import Change
from services.notifications.journeys import Journey
from services.notifications.policy import Limits
from services.notifications.records import (
    ConsentProof,
    Contact,
    Content,
    Decision,
    Message,
    Run,
    RunState,
    Shred,
    Suppression,
)
from shared.db import new_id
from shared.db.base import Query, Tx
from shared.drafts import Added, Keyed
from shared.errors import Unavailable
from shared.events.config import StoreConfigured
from shared.events.notifications import MessageSkipped
from shared.workset import WorkSet

STEP, HAND_OVER, SETTLE, RETRY = "journey.step", "message.hand_over", "message.settle", "message.retry"
HOUSE = Query(select(tables.house.c.key, tables.house.c.limits))
MOVES = [
    Query(
        update(table)
        .where(table.c.account == bindparam("of"), table.c.customer == bindparam("loser"))
        .values(customer=bindparam("survivor"))
    )
    for table in (tables.decision, tables.consent)
]
FORGOTTEN = (tables.journey_run, tables.decision, tables.consent)


class Desk(WorkSet):
    """The loaded state of all customers of a batch."""

    def __init__(self, now: datetime, machine: datetime, key: bytes, limits: Limits) -> None:
        super().__init__(now)
        self.machine = machine
        self.key = key
        self.limits = limits
        self.contacts: Keyed[tuple[str, str], Contact] = Keyed()
        self.runs: Keyed[tuple[str, str, str], Run] = Keyed()
        self.messages: Keyed[tuple[str, str], Message] = Keyed()
        self.suppressions: Keyed[tuple[str, str, str, str], Suppression] = Keyed()
        self.decisions: Added[Decision] = Added()
        self.proofs: Added[ConsentProof] = Added()
        self.claims: Added[Message] = Added()
        self.shreds: Added[Shred] = Added()
        self.moved: Added[tuple[str, str, str]] = Added()
        self.forgotten: Added[tuple[str, str]] = Added()
        self.closed: Added[tuple[str, str]] = Added()
        self.handed: Added[tuple[Message, Contact, Content, StoreConfigured]] = Added()
        self.shops: dict[tuple[str, str], StoreConfigured] = {}
        self._runs_of: defaultdict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        self._messages_of: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self._messages_at: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self._sharers: defaultdict[tuple[str, str], dict[str, Contact]] = defaultdict(dict)

    @property
    def contact(self) -> Contact:
        """The contact that the work in hand is about."""
        return self.contacts.get((self.work.account, self.work.customer)) or Contact(
            account=self.work.account, customer=self.work.customer
        )

    def keep_contact(self, contact: Contact) -> None:
        """Put a contact back if it changed."""
        key = (contact.account, contact.customer)
        if self.contacts.get(key) != contact:
            self.contacts[key] = contact

    def remember_sharer(self, contact: Contact) -> None:
        """Note who has an address; called for everybody who shares one with somebody in the batch."""
        self._sharers[contact.account, contact.address][contact.customer] = contact

    def sharing(self, contact: Contact) -> Iterator[Contact]:
        """Everybody with this contact's address, the contact first."""
        yield contact
        if contact.address:
            for name, known in sorted(self._sharers[contact.account, contact.address].items()):
                other = self.contacts.get((contact.account, name)) or known
                if name != contact.customer and other.address == contact.address:
                    yield other

    def remember_run(self, run: Run) -> None:
        """Note whose run this is; called for every run that is loaded or written."""
        self._runs_of[run.account, run.customer].add((run.account, run.journey, run.key))

    def remember_message(self, message: Message) -> None:
        """Note whose message this is; called for every message that is loaded or claimed."""
        self._messages_of[message.account, message.customer].add((message.account, message.id))
        self._messages_at[message.account, message.address].add((message.account, message.id))

    def keep_message(self, message: Message) -> None:
        """Put a message back in its next state."""
        self.remember_message(message)
        self.messages[message.account, message.id] = message

    def runs_of(self, customer: str) -> Iterator[Run]:
        """The loaded runs of a customer of the work's account."""
        for key in sorted(self._runs_of[self.work.account, customer]):
            run = self.runs.get(key)
            if run is not None and run.customer == customer:
                yield run

    def messages_of(self, customer: str) -> Iterator[Message]:
        """The loaded messages of a customer of the work's account, those claimed in this batch included."""
        for key in sorted(self._messages_of[self.work.account, customer]):
            message = self.messages.get(key)
            if message is not None and message.customer == customer:
                yield message

    def messages_to(self, contact: Contact) -> Iterator[Message]:
        """The loaded messages to a contact, and those to others at the same address."""
        keys = self._messages_of[contact.account, contact.customer]
        if contact.address:
            keys = keys | self._messages_at[contact.account, contact.address]
        for key in sorted(keys):
            message = self.messages.get(key)
            if message is not None:
                yield message

    def apply(self, journey: Journey, change: Change) -> None:
        """Keep a run's next state, its timer, and what was given up."""
        run = change.run
        known = self.runs.get((run.account, run.journey, run.key))
        self.remember_run(run)
        self.runs[run.account, run.journey, run.key] = run
        name = f"{run.journey}:{run.key}"
        if change.due is not None:
            self.set_timer(STEP, name, change.due, {"journey": run.journey, "key": run.key}, customer=run.customer)
        elif known is not None and known.state is RunState.RUNNING:
            self.cancel_timer(STEP, name)
        for step, reason in change.dropped:
            self.decide(run, step, reason, "journey/1")
            if reason != "late_purchase":  # that step was sent
                self.skipped(run, step, reason)

    def decide(self, about: Run | Message, step: str, reason: str, rule: str, channel: str = "email") -> None:
        """Keep why a step was not sent, or not yet."""
        row = Decision(
            account=about.account,
            id=new_id("dec"),
            customer=about.customer,
            journey=about.journey,
            version=about.version,
            step=step,
            key=about.key,
            channel=channel,
            reason=reason,
            rule=rule,
            at=self.now,
        )
        self.decisions.append(row)
        self.count(f"decisions:{reason}")

    def skipped(self, run: Run, step: str, reason: str) -> None:
        """Tell the world that a message was decided against."""
        self.emit(MessageSkipped(journey=run.journey, step=step, reason=reason), customer=run.customer)

    def shop(self, store: str) -> StoreConfigured:
        """The set-up of a shop of the work's account; raises Unavailable while it is not known here."""
        found = self.shops.get((self.work.account, store))
        if found is None:
            raise Unavailable(f"store {store} is not known here yet")
        return found

    async def store(self, tx: Tx) -> None:
        """Write what was judged."""
        await tx.insert_many(tables.decision, self.decisions.rows)
        await tx.insert_many(tables.consent, self.proofs.rows)
        await self._move_and_forget(tx)
        new = {(message.account, message.id) for message in self.claims.rows}
        await tx.insert_many(tables.message, [self.messages[key] for key in sorted(new)])
        await tx.upsert_many(tables.message, [m for m in self.messages.stored if (m.account, m.id) not in new])
        await tx.upsert_many(tables.journey_run, self.runs.stored)
        await tx.upsert_many(tables.contact, self.contacts.stored)
        await tx.delete_by_keys(tables.contact, self.contacts.removed)
        await tx.upsert_many(tables.suppression, self.suppressions.stored)
        await tx.delete_by_keys(tables.suppression, self.suppressions.removed)
        await tx.insert_many(tables.shred, self.shreds.rows, ignore_conflicts=True)

    async def _move_and_forget(self, tx: Tx) -> None:
        for account, loser, survivor in self.moved.rows:
            for move in MOVES:
                await tx.execute(move, of=account, loser=loser, survivor=survivor)
        for table in FORGOTTEN:
            await tx.delete_by_keys(table, self.forgotten.rows, by=("account", "customer"))
        await tx.delete_by_keys(tables.mailbox, self.closed.rows)
