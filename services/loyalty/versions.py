"""The programmes of accounts: every version there is, and the default one that an account begins with."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from services.loyalty import programmes, tables, terms
from services.loyalty.programmes import Programme
from services.loyalty.records import ProgramVersion
from shared.config import ConfigList
from shared.db import Reader, Tx
from shared.events import Event, Lane
from shared.events.config import StoreConfigured
from shared.events.ingest import OrderFact
from shared.tables import attach
from shared.workset import Work

_stores = ConfigList(attach(tables.metadata))
_programme = lru_cache(maxsize=1024)(programmes.decode)


class Versions(NamedTuple):
    """All versions of an account's programme, oldest first, and since when each is in force."""

    bodies: tuple[Programme, ...]
    effective: tuple[datetime, ...]

    def numbered(self, version: int) -> Programme:
        """The version with this number."""
        newest = self.bodies[-1]
        return newest if newest.version == version else next(b for b in reversed(self.bodies) if b.version == version)

    @property
    def wallets(self) -> set[str]:
        """The further wallets of all versions."""
        return {wallet.name for body in self.bodies for wallet in body.wallets}

    @property
    def refers(self) -> bool:
        """Whether any version knows referrals."""
        return any(body.referrals is not None for body in self.bodies)

    def find(self, program: str, version: int) -> Programme | None:
        """A version by number, the newest for 0; None when there is none of that programme."""
        wanted = [body for body in self.bodies if body.id == program and version in {0, body.version}]
        return wanted[-1] if wanted else None

    def at(self, moment: datetime) -> Programme:
        """The newest version in force at a moment, or the first one."""
        if self.effective[-1] <= moment:
            return self.bodies[-1]
        chosen = self.bodies[0]
        for body, since in zip(self.bodies, self.effective, strict=True):
            if since <= moment:
                chosen = body
        return chosen


async def versions_for(tx: Tx, work: Sequence[Work]) -> dict[str, Versions]:
    """The programmes of the accounts of a batch; where a store is known but no programme yet, the default is made."""
    accounts = {item.account for item in work}
    found = await versions_of(tx, accounts)
    if len(found) == len(accounts):
        return found
    rows = [row for account in accounts - found.keys() for row in await _default(tx, account, work)]
    await tx.insert_many(tables.program, rows, ignore_conflicts=True)
    return await versions_of(tx, accounts) if rows else found


async def versions_of(reader: Reader, accounts: Iterable[str]) -> dict[str, Versions]:
    """All versions of these accounts' programmes, by account."""
    keys = [(account,) for account in accounts]
    rows = await reader.fetch_by_keys(tables.program, keys, ProgramVersion, by=("account",))
    found: dict[str, list[ProgramVersion]] = {}
    for row in sorted(rows, key=lambda row: row.version):
        found.setdefault(row.account, []).append(row)
    return {
        account: Versions(tuple(_programme(row.body) for row in of), tuple(row.effective_from for row in of))
        for account, of in found.items()
    }


def version_row(account: str, programme: Programme, effective_from: datetime, now: datetime) -> ProgramVersion:
    """A version of a programme as it is kept."""
    body = programmes.encode(programme)
    return ProgramVersion(account, programme.id, programme.version, effective_from, now, body)


async def _default(tx: Tx, account: str, work: Sequence[Work]) -> list[ProgramVersion]:
    """The default programme: currency and zone of the account's first store, begun on the first live order's day."""
    stores = await _stores.of_account(tx, StoreConfigured, account)
    if not stores or not isinstance(stores[0], StoreConfigured):
        return []
    store = stores[0]
    orders = [item.fact.order for item in work if isinstance(item, Event) and isinstance(item.fact, OrderFact)]
    begun = min([tx.now, *(order.first_recorded for order in orders if order.lane is Lane.LIVE)])
    start = terms.midnight(store.zone, terms.local_day(store.zone, begun))
    programme = programmes.default_programme(
        account, currency=store.currency, exponent=store.exponent, zone=store.zone, start=start
    )
    return [version_row(account, programme, start, tx.now)]
