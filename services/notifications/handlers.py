"""What notifications does with facts: keeps contacts and consent, and lets every journey see what happened."""

from typing import Any

from msgspec.structs import replace

from services.notifications import contacts
from services.notifications.desk import Desk
from services.notifications.engine import Change, Scene, due, keys, known_of_both, react
from services.notifications.journeys import BY_NAME, Journey, listening
from services.notifications.ledger import withdraw
from services.notifications.policy import lifted_by_consent
from services.notifications.records import Contact, MessageState, Purpose, Run, RunState, Shred, Suppression
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import ConsentChanged, CustomerErased, CustomerMerged, OrderFact, ProfileUpdated

CHANNEL = "email"


def follow(event: Event[Any], desk: Desk) -> None:
    """Let every journey see a fact."""
    for journey in listening(event.fact.type):
        scene = Scene(desk.contact, _runs(desk, journey, event))
        for change in react(journey, event, scene):
            known = desk.runs.get((event.account, journey.name, change.run.key))
            if change.run.bought_at is not None and (known is None or known.bought_at != change.run.bought_at):
                _learnt(desk)
            desk.apply(journey, change)


def follow_order(event: Event[OrderFact], desk: Desk) -> None:
    """Note when the contact last ordered, then let every journey see the order."""
    before = desk.contact
    after = contacts.with_order(before, event.fact.order, event.store)
    desk.keep_contact(after)
    if (before.ordered_at, before.swept_at) != (after.ordered_at, after.swept_at):
        _learnt(desk)
    follow(event, desk)


def _learnt(desk: Desk) -> None:
    """Note that we know of a purchase from now on: nothing it ends may be handed over later."""
    desk.keep_contact(replace(desk.contact, known_at=desk.machine))


def update_profile(event: Event[ProfileUpdated], desk: Desk) -> None:
    """Keep the newest profile; whoever now lives by another clock has what waits for an hour looked at again."""
    before = desk.contact
    after = contacts.with_profile(before, event.fact, event.store, desk.key)
    desk.keep_contact(after)
    _left(before, after, desk)
    if (before.zone, before.phone, before.country) != (after.zone, after.phone, after.country):
        for run in list(desk.runs_of(event.customer)):
            journey = BY_NAME[run.journey]
            desk.apply(journey, Change(run, due(journey, run)))


def _left(before: Contact, after: Contact, desk: Desk) -> None:
    """Close the mailbox of an address that somebody has left; whoever else wants a slot there opens it again."""
    if before.address and before.address != after.address:
        desk.closed.append((before.account, before.address))


def change_consent(event: Event[ConsentChanged], desk: Desk) -> None:
    """Write the consent ledger's next line and keep the newest word; an opt-in lifts what an opt-out suppressed."""
    fact = event.fact
    contact, line = contacts.proven(desk.contact, fact, new_id("cns"), event.recorded)
    desk.proofs.append(line)
    contact = contacts.with_consent(contact, contacts.word_of(fact))
    desk.keep_contact(contact)
    key = (event.account, contact.address, fact.channel, fact.purpose)
    held = desk.suppressions.get(key)
    if fact.granted and held is not None and fact.at > held.since and lifted_by_consent(held.reason):
        del desk.suppressions[key]


def merge_contacts(event: Event[CustomerMerged], desk: Desk) -> None:
    """Two contacts become one: runs, messages and what was decided move over, the stricter consent holds."""
    loser = desk.contacts.get((event.account, event.fact.loser))
    if loser is None or loser.customer == event.customer:
        return
    both = contacts.merged(desk.contact, loser)
    for run in [*desk.runs_of(event.customer), *desk.runs_of(loser.customer)]:
        journey = BY_NAME[run.journey]
        desk.apply(journey, known_of_both(journey, replace(run, customer=event.customer), both))
    for message in list(desk.messages_of(loser.customer)):
        desk.keep_message(replace(message, customer=event.customer))
    desk.moved.append((event.account, loser.customer, event.customer))
    _left(loser, both, desk)
    desk.keep_contact(both)
    del desk.contacts[event.account, loser.customer]


def forget_customer(event: Event[CustomerErased], desk: Desk) -> None:
    """Take away all that is personal; the keyed hash of the address stays and blocks marketing until a new opt-in."""
    contact = desk.contact
    for run in list(desk.runs_of(event.customer)):
        journey = BY_NAME[run.journey]
        desk.apply(journey, Change(replace(run, state=RunState.ENDED, reason="erased")))
        del desk.runs[run.account, run.journey, run.key]
    for message in list(desk.messages_of(event.customer)):
        if message.state in {MessageState.CLAIMED, MessageState.WAITING}:
            withdraw(desk, message, "erased")
        elif message.state in {MessageState.ACCEPTED, MessageState.UNKNOWN}:
            desk.shreds.append(Shred(message.account, message.id, message.channel))
        desk.keep_message(replace(desk.messages[message.account, message.id], address=""))
    if contact.address:
        desk.closed.append((event.account, contact.address))
        key = (event.account, contact.address, CHANNEL, Purpose.MARKETING.value)
        if key not in desk.suppressions:
            desk.suppressions[key] = Suppression(*key, "erased", event.fact.at)
    desk.forgotten.append((event.account, event.customer))
    desk.contacts[event.account, event.customer] = contacts.erased(contact, event.fact.at)


def _runs(desk: Desk, journey: Journey, event: Event[Any]) -> dict[str, Run]:
    """The customer's runs of a journey, and those the event names whoever has them."""
    mine = {run.key: run for run in desk.runs_of(event.customer) if run.journey == journey.name}
    for key in keys(journey, event):
        named = desk.runs.get((event.account, journey.name, key))
        if named is not None:
            mine[key] = named
    return mine
