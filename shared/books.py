"""The books: what was received, emitted, published and effected must add up, over all services."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from sqlalchemy import func, select

from shared.archive import told
from shared.bus.base import Bus
from shared.clock import machine_seconds
from shared.db.base import Reader
from shared.errors import Unavailable
from shared.partition import PARTITIONS
from shared.service import Service

if TYPE_CHECKING:
    from shared.running import Running

QUIET_SECONDS = 60.0


class Books(msgspec.Struct):
    """One service's books: its counters summed over writers, what is parked by type, its own audit.

    `at` is the business moment they were read, `heard` the one up to which ingest's facts have all been taken in.
    """

    service: str
    at: datetime
    heard: datetime | None
    counters: dict[str, int]
    parked: dict[str, int]
    outbox: int
    untaken: int
    figures: dict[str, int]
    faults: list[str]


class Verdict(msgspec.Struct):
    """What `verify` found; `quiet` false means that there was still work on the way."""

    balanced: bool
    quiet: bool
    faults: list[str]
    books: dict[str, Any]


async def books_of(reader: Reader, service: Service) -> Books:
    """Read one service's books from one snapshot."""
    kernel = service.kernel
    counter, parked = kernel.counter, kernel.parked
    counters = await reader.fetch(select(counter.c.name, func.sum(counter.c.value)).group_by(counter.c.name))
    stuck = await reader.fetch(
        select(parked.c.kind, parked.c.type, func.count()).group_by(parked.c.kind, parked.c.type)
    )
    waiting = await reader.fetch_one(select(func.count()).select_from(kernel.outbox))
    untaken = await reader.fetch(service.untaken) if service.untaken else []
    beats = await reader.fetch(select(kernel.heartbeat.c.at))
    audit = await service.audit(reader) if service.audit else None
    return Books(
        service=service.name,
        at=reader.now,
        heard=min(row[0] for row in beats) if len(beats) == PARTITIONS else None,
        counters={name: int(value) for name, value in counters},
        parked={type_: int(number) for kind, type_, number in stuck if kind == "event"},
        outbox=int(waiting[0]) if waiting else 0,
        untaken=len(untaken),
        figures=audit.figures if audit else {},
        faults=audit.faults if audit else [],
    )


def judge(books: Mapping[str, Books], services: Sequence[Service]) -> list[str]:
    """What does not add up, in words; empty when everything does."""
    faults = [f"{name}: {fault}" for name, kept in books.items() for fault in kept.faults]
    totals = {name: kept.counters for name, kept in books.items()}
    published: dict[str, int] = {}
    for counters in totals.values():
        faults += _emitted_is_published(counters)
        published |= {
            name.removeprefix("published:"): n for name, n in counters.items() if name.startswith("published:")
        }
    for service in services:
        faults += _published_is_effected(service, books[service.name], published)
    if "ingest" in totals:
        faults += _received_is_accounted_for(totals["ingest"])
    return faults


def _emitted_is_published(counters: Mapping[str, int]) -> list[str]:
    names = {name.split(":", 1)[1] for name in counters if name.startswith(("emitted:", "published:"))}
    pairs = [(name, counters.get(f"emitted:{name}", 0), counters.get(f"published:{name}", 0)) for name in sorted(names)]
    return [f"{name}: emitted {out}, published {sent}" for name, out, sent in pairs if out != sent]


def _published_is_effected(service: Service, books: Books, published: Mapping[str, int]) -> list[str]:
    faults = []
    for fact in service.reactions:
        name = f"{fact.topic}:{fact.type}"
        sent = published.get(name, 0)
        done = books.counters.get(f"effected:{name}", 0)
        kept = books.parked.get(fact.type, 0)
        gone = books.counters.get(f"erased:{name}", 0)
        if sent != done + kept + gone:
            faults.append(f"{service.name} {name}: published {sent}, effected {done}, parked {kept}, erased {gone}")
    return faults


RECEIVED = ("accepted", "duplicate", "rejected")
ACCEPTED = ("translated", "dropped", "quarantined", "suppressed", "waiting", "parked", "erased")


def _received_is_accounted_for(counters: Mapping[str, int]) -> list[str]:
    faults = []
    received = counters.get("deliveries:received", 0)
    sorted_out = sum(counters.get(f"deliveries:{name}", 0) for name in RECEIVED)
    if received != sorted_out:
        faults.append(f"deliveries: received {received}, accepted + duplicate + rejected {sorted_out}")
    accepted = counters.get("deliveries:accepted", 0)
    settled = sum(counters.get(f"deliveries:{name}", 0) for name in ACCEPTED)
    if accepted != settled:
        faults.append(f"deliveries: accepted {accepted}, settled {settled}")
    return faults


async def read_all(running: Sequence["Running"]) -> dict[str, Books]:
    """Every service's books, consumers before producers, so that a fact on its way is never counted twice."""
    found = {}
    for one in sorted(running, key=lambda each: each.service.owns_setup):
        async with one.db.read() as reader:
            found[one.service.name] = await books_of(reader, one.service)
    return found


async def is_quiet(running: Sequence["Running"], bus: Bus, now: datetime) -> bool:
    """Whether nothing is on its way: no outbox row, no untaken delivery, no uncommitted record, no timer overdue."""
    for one in running:
        async with one.db.read() as reader:
            books = await books_of(reader, one.service)
            due = await one.timers.next_due(reader)
        if books.outbox or books.untaken or (due is not None and due <= now):
            return False
    lags = [await bus.lag(one.service.name, one.inbox.topics) for one in running]
    return not any(lags)


async def verify(
    running: Sequence["Running"], bus: Bus, now: datetime, *, wait_seconds: float = QUIET_SECONDS
) -> Verdict:
    """Wait until the books add up or nothing moves any more, then judge them."""
    until = machine_seconds() + wait_seconds
    while True:
        books = await read_all(running)
        faults = judge(books, [one.service for one in running])
        if not faults or machine_seconds() >= until:
            break
        if await is_quiet(running, bus, now):
            books = await read_all(running)
            faults = judge(books, [one.service for one in running])
            break
        await asyncio.sleep(0.2)
    quiet = not faults or await is_quiet(running, bus, now)
    return Verdict(not faults, quiet, faults, {name: msgspec.to_builtins(kept) for name, kept in books.items()})


async def verify_deep(running: Sequence["Running"]) -> list[str]:
    """Hold the services against the archive of facts, from scratch; what does not add up, in words. Wants quiet."""
    (owner,) = [one for one in running if one.service.owns_setup]
    faults: list[str] = []
    for one in running:
        if one.service.deep is not None:
            types = [fact.type for fact in one.service.reactions]
            async with one.db.read() as reader, owner.db.read() as source:
                found = await one.service.deep(reader, told(source, owner.kernel, types))
            faults += [f"{one.service.name}: {fault}" for fault in found]
    return faults


async def verify_remote(
    urls: Sequence[str], services: Sequence[Service], *, wait_seconds: float = QUIET_SECONDS
) -> Verdict:
    """Judge books asked of running services over HTTP, until they add up or nothing moves any more.

    Raises Unavailable when a service does not answer.
    """
    until = machine_seconds() + wait_seconds
    first = found = await _asked(urls)
    while True:
        asked = [service for service in services if service.name in found]
        faults = judge(found, asked)
        quiet = not faults or _stood_still(first, found, asked)
        if quiet or machine_seconds() >= until:
            return Verdict(not faults, quiet, faults, {name: msgspec.to_builtins(kept) for name, kept in found.items()})
        await asyncio.sleep(1)
        found = await _asked(urls)
        if _moving(found) != _moving(first):
            first = found


def _moving(found: Mapping[str, Books]) -> object:
    return [(name, kept.counters, kept.parked, kept.outbox, kept.untaken) for name, kept in sorted(found.items())]


def _stood_still(first: Mapping[str, Books], found: Mapping[str, Books], services: Sequence[Service]) -> bool:
    """Nothing is on its way, and every consumer has heard from ingest since the books came to be as they are."""
    if any(kept.outbox or kept.untaken for kept in found.values()):
        return False
    since = max(kept.at for kept in first.values())
    heard = [found[service.name].heard for service in services if service.reactions]
    return all(at is not None and at > since for at in heard)


async def _asked(urls: Sequence[str]) -> dict[str, Books]:
    """Books by service, consumers first: ingest's are asked last."""
    found: dict[str, Books] = {}
    async with httpx.AsyncClient(timeout=10) as client:
        for url in sorted(urls, key=lambda each: "ingest" in each):
            try:
                answer = await client.get(url)
                answer.raise_for_status()
            except httpx.HTTPError as error:
                raise Unavailable(f"{url}: {type(error).__name__}") from error
            found |= msgspec.json.decode(answer.content, type=dict[str, Books])
    return found
