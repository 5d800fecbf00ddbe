"""`python -m services programme …`: a programme out to a file, back in from one, compared, and tried on past orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import bindparam, select

from services.loyalty import crediting, drafts, files, previews, tables, wallets
from services.loyalty.crediting import Credited
from services.loyalty.desk import Desk
from services.loyalty.drafts import Draft
from services.loyalty.earning import Shop
from services.loyalty.impact import Impact
from services.loyalty.loading import load
from services.loyalty.programmes import Programme
from services.loyalty.records import Note, Rating
from services.loyalty.trial import Cost, Past, trial
from services.loyalty.versions import Versions, versions_of
from shared import tx as carrying
from shared.clock import Clock
from shared.config import ConfigList
from shared.db import Database, Query, Reader, connect
from shared.errors import not_found
from shared.events import decode
from shared.events.config import StoreConfigured
from shared.events.ingest import ORDER_FACTS, Order, OrderFact
from shared.service import Service
from shared.settings import Settings
from shared.tables import attach
from shared.work import Judge
from shared.workset import Command

_kernel = attach(tables.metadata)
_archive = _kernel.archive
AT_ONCE = 50  # one commit for so many, and nobody waits long behind them
ORDER_TYPES = [fact.type for fact in ORDER_FACTS]
ARCHIVED = Query(
    select(_archive.c.seq, _archive.c.type, _archive.c.customer, _archive.c.head, _archive.c.body)
    .where(_archive.c.account == bindparam("account"), _archive.c.seq > bindparam("after"))
    .order_by(_archive.c.seq)
    .limit(2_000)
)


@asynccontextmanager
async def opened(settings: Settings, service: str) -> AsyncIterator[Database]:
    """A service's database, for one command."""
    database = connect(settings.database_of(service), Clock())
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def export(settings: Settings, account: str, version: int = 0) -> str:
    """A version of the account's programme as YAML (the newest for 0); raises Refused 404."""
    async with opened(settings, "loyalty") as database, database.read() as reader:
        versions = await _versions(reader, account)
    body = versions.find(versions.bodies[-1].id, version)
    if body is None:
        raise not_found("version", str(version))
    return files.write(body)


async def differ(settings: Settings, account: str, text: str) -> list[files.Change]:
    """What a file would change of the newest version; raises Invalid for a faulty one."""
    draft = files.read(text)
    async with opened(settings, "loyalty") as database, database.read() as reader:
        versions = await _versions(reader, account)
    return files.differences(versions.bodies[-1], draft.programme)


async def put(settings: Settings, account: str, text: str) -> Programme:
    """Make a file the next version; raises Invalid for a faulty one."""
    draft = files.read(text)
    async with opened(settings, "loyalty") as database, database.write() as tx:
        program = (await _versions(tx, account)).bodies[-1].id
        command = Command(account=account, customer="", store="", id=uuid4(), time=tx.now)
        desk = await load(tx, [command])
        following = _put(command, desk, program, draft)
        await carrying.store(tx, _kernel, "loyalty", "programme", desk)
    return following


async def preview(settings: Settings, account: str, text: str) -> Impact:
    """What a file would do to the tiers of the members there are; raises Invalid for a faulty one."""
    draft = files.read(text).programme
    async with opened(settings, "loyalty") as database, database.read() as reader:
        current = (await _versions(reader, account)).at(reader.now)
        return await previews.impact_of(reader, account, current, draft)


async def try_out(settings: Settings, account: str, text: str, since: datetime, until: datetime) -> list[Cost]:
    """What a file would have cost on the account's archived orders paid from `since` to before `until`, by segment."""
    draft = files.read(text).programme
    async with opened(settings, "ingest") as database, database.read() as reader:
        found = await _orders(reader, account)
    paid = {k: o for k, o in found.items() if o[0].paid_at is not None and since <= o[0].paid_at < until}
    async with opened(settings, "loyalty") as database, database.read() as reader:
        versions = await _versions(reader, account)
        past = await _past(reader, account, paid, draft)
    return trial(past, drafts.numbered(draft, versions.bodies[-1].id, versions.bodies[-1].version + 1))


async def creditable(settings: Settings, account: str, since: datetime, until: datetime) -> list[Cost]:
    """What `credit` would give, by segment, as far as the budget allows it."""
    past, programme = await _creditable(settings, account, since, until)
    return trial(past, programme)


async def credit(
    settings: Settings, service: Service, account: str, since: datetime, until: datetime, note: Note
) -> Credited:
    """Credit the account's orders paid from `since` to before `until` that were not to earn; a second time nothing."""
    past, _programme = await _creditable(settings, account, since, until)
    judge, points = Judge(service, "credit"), list[int]()
    async with opened(settings, "loyalty") as database:
        for first in range(0, len(past), AT_ONCE):
            async with database.write() as tx:
                calls = crediting.commands(account, past[first : first + AT_ONCE], tx.now)
                acts = [(command, partial(crediting.credit, order=order, note=note)) for command, order in calls]
                points += _all_well(await judge.commands(tx, acts))
    return Credited(sum(given > 0 for given in points), sum(points))


def _all_well(outcomes: list[Any]) -> list[int]:
    """The points of calls; raises the first exception there is, by which nothing of them was written."""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes


async def _creditable(
    settings: Settings, account: str, since: datetime, until: datetime
) -> tuple[list[Past], Programme]:
    async with opened(settings, "ingest") as database, database.read() as reader:
        found = await _orders(reader, account)
    paid = {k: o for k, o in found.items() if o[0].paid_at is not None and since <= o[0].paid_at < until}
    async with opened(settings, "loyalty") as database, database.read() as reader:
        programme = (await _versions(reader, account)).at(reader.now)
        ratings = await reader.fetch_by_keys(tables.rating, [(account, name) for name in paid], Rating)
        wanted = {one.order_id for one in ratings if crediting.creditable(paid[one.order_id][0], one)}
        past = await _past(reader, account, {name: of for name, of in paid.items() if name in wanted}, programme)
    return past, programme


def _put(command: Command, desk: Desk, program: str, draft: Draft) -> Programme:
    desk.begin(command)
    following = drafts.put(command, desk, program, draft, "")
    desk.keep()
    return following


async def _versions(reader: Reader, account: str) -> Versions:
    found = (await versions_of(reader, [account])).get(account)
    if found is None:
        raise not_found("program", f"of account {account}")
    return found


async def _orders(reader: Reader, account: str) -> dict[str, tuple[Order, str, str]]:
    """The newest revision of every archived order, with its customer and store."""
    newest: dict[str, tuple[Order, str, str]] = {}
    after = 0
    while rows := await reader.fetch(ARCHIVED, account=account, after=after):
        after = rows[-1][0]
        for _seq, type_, customer, head, body in rows:
            if type_ in ORDER_TYPES:
                attributes: dict[str, Any] = msgspec.json.decode(head)
                fact = decode(type_, int(attributes["ce_dataschema"].rpartition("/")[2]), body)
                held = newest.get(fact.order.id) if isinstance(fact, OrderFact) else None
                if isinstance(fact, OrderFact) and (held is None or held[0].revision < fact.order.revision):
                    newest[fact.order.id] = (fact.order, customer, attributes["ce_store"])
    return newest


async def _past(reader: Reader, account: str, paid: dict[str, tuple[Order, str, str]], draft: Programme) -> list[Past]:
    """These orders with what loyalty knows of them: what they earned, and the segments of their customers today."""
    stores = await ConfigList(_kernel).of_account(reader, StoreConfigured, account)
    zones = {store.id: store.zone for store in stores if isinstance(store, StoreConfigured)}
    ratings = await reader.fetch_by_keys(tables.rating, [(account, order) for order in paid], Rating)
    booked = {rating.order_id: rating for rating in ratings}
    owners = {(account, booked[name].customer if name in booked else of[1]) for name, of in paid.items()}
    members = await reader.fetch_by_keys(tables.member, owners, wallets.member_of)
    segments = {member.customer: member.segments for member in members}
    past = []
    for name, (order, customer, store) in paid.items():
        rating = booked.get(name)
        owner = customer if rating is None else rating.customer
        shop = Shop(store, zones.get(store, draft.zone))
        past.append(Past(order, owner, shop, segments.get(owner, ()), 0 if rating is None else rating.points))
    return past
