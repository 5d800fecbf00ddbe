"""Which rules pay for something other than an order, and the id of each award: what was paid once is known by it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid5

from services.loyalty import terms
from services.loyalty.programmes import Programme
from services.loyalty.records import Member
from services.loyalty.rules import RULES, DateRule, FactRule
from services.loyalty.versions import Versions
from shared.events import Event, Fact
from shared.events.base import NAMESPACE
from shared.workset import Due, Work

DATES_TIMER = "member.dates"
PAID_FOR: tuple[type[Fact], ...] = tuple(dict.fromkeys(fact for rule in RULES for fact in rule.on))


def award_id(customer: str, rule: str, source: str) -> str:
    """The id of what a rule pays a customer for one thing."""
    return f"awd_{uuid5(NAMESPACE, f'{customer}|{rule}|{source}').hex}"


def lot_id(award: str) -> str:
    """The id of the lot of an award's points."""
    return f"lot_{award.removeprefix('awd_')}"


def fact_rules(programme: Programme, fact: Fact) -> list[FactRule]:
    """The rules that a fact may move, the most important first."""
    found = [rule for rule in programme.rules if isinstance(rule, FactRule) and isinstance(fact, rule.on)]
    return sorted(found, key=lambda rule: -rule.priority)


def date_rules(programme: Programme) -> tuple[DateRule, ...]:
    """The rules about days that come every year."""
    return programme.dated


def year_of(programme: Programme, moment: datetime) -> str:
    """The local year of a moment: what a yearly award is for."""
    return str(terms.year(terms.local_day(programme.zone, moment)))


def next_day(rule: DateRule, member: Member, programme: Programme, today: int) -> int | None:
    """The next local day, today included, on which a rule pays a member; None for never."""
    named = rule.date_of(member, programme.zone)
    if not named:
        return None
    return terms.next_yearly(named, max(today, rule.since(member, programme.zone)), rule.leap)


def keys(item: Work, versions: Versions, now: datetime) -> Iterator[tuple[str, str]]:
    """The keys of the awards that a piece of work may bring."""
    programme = versions.at(now)
    if type(item) is Event and type(item.fact) in PAID_FOR:
        event: Event[Any] = item
        for rule in fact_rules(programme, event.fact):
            yield event.account, award_id(event.customer, rule.name, rule.key(event))
    elif type(item) is Due and item.kind == DATES_TIMER:
        for dated in date_rules(programme):
            yield item.account, award_id(item.customer, dated.name, year_of(programme, item.due))
