"""What accounts report in and the exchange rates that shops give, and which orders a change of either reaches."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from babel.numbers import get_currency_precision
from sqlalchemy import Select, bindparam, select

from services.scoring import tables
from services.scoring.money import HOLDS_DAYS, Rates, Reporting, days_of
from services.scoring.records import RatesRow, ReportingRow
from shared.config import ConfigList
from shared.db import Query, Tx
from shared.db.base import Reader
from shared.events.config import StoreConfigured
from shared.tx import set_timers
from shared.workset import TimerSet

REVALUE = "orders.revalue"

_config = ConfigList(tables.kernel)
_purchase = tables.purchase


def _piece(*conditions: Any) -> Select[Any]:
    chosen = select(_purchase.c.order_id).where(_purchase.c.account == bindparam("account"), *conditions)
    after = chosen.where(_purchase.c.order_id > bindparam("after"))
    return after.order_by(_purchase.c.order_id).limit(bindparam("most"))


_ALL = Query(_piece())
_ABROAD = Query(_piece(_purchase.c.paid_currency != "", _purchase.c.day.between(bindparam("first"), bindparam("last"))))


async def reporting_of(tx: Tx, accounts: Collection[str]) -> dict[str, Reporting]:
    """What accounts report in: at first the currency of their first store; not of those without a store."""
    rows = await _reporting(tx, accounts)
    firsts = [await _first(tx, account) for account in accounts if account not in rows]
    chosen = [row for row in firsts if row is not None]
    if not chosen:
        return rows
    await tx.insert_many(tables.reporting, chosen, ignore_conflicts=True)
    return await _reporting(tx, accounts)


async def _reporting(reader: Reader, accounts: Iterable[str]) -> dict[str, Reporting]:
    rows = await reader.fetch_by_keys(tables.reporting, [(account,) for account in accounts], ReportingRow)
    return {row.account: row.reporting for row in rows}


async def _first(reader: Reader, account: str) -> ReportingRow | None:
    for store in await _config.of_account(reader, StoreConfigured, account):
        if isinstance(store, StoreConfigured):
            return ReportingRow(account, Reporting(store.currency, store.exponent))
    return None


async def reported_in(reader: Reader, account: str) -> Reporting | None:
    """What an account reports in; None before it has a store."""
    known = (await _reporting(reader, [account])).get(account)
    first = None if known else await _first(reader, account)
    return first.reporting if first else known


async def hold(tx: Tx, accounts: Iterable[str]) -> None:
    """Keep rates and reporting currency of accounts as they are until this transaction ends."""
    await tx.lock_many(tables.reporting, [(account,) for account in sorted(accounts)])


async def rates_for(reader: Reader, days: Iterable[tuple[str, int]]) -> dict[str, dict[int, Rates]]:
    """By account and day, all rates that may be used for orders of these (account, day)."""
    keys = sorted({(account, usable) for account, day in days for usable in days_of(day)})
    found: dict[str, dict[int, Rates]] = {}
    for row in await reader.fetch_by_keys(tables.rates, keys, RatesRow):
        found.setdefault(row.account, {})[row.day] = row.rates
    return found


async def piece_of(reader: Reader, account: str, payload: dict[str, Any], most: int) -> list[str]:
    """The next orders that a change reaches, by id: those in other currencies of some days, or all."""
    query = _ABROAD if "first" in payload else _ALL
    return [str(row[0]) for row in await reader.fetch(query, account=account, most=most, **payload)]


async def give_rates(tx: Tx, account: str, day: int, rates: Rates) -> None:
    """Put the rates of a day in the place of any others, and have the orders that they reach converted."""
    await reporting_of(tx, [account])
    await hold(tx, [account])
    if [row.rates for row in await tx.fetch_by_keys(tables.rates, [(account, day)], RatesRow)] == [rates]:
        return
    await tx.upsert_many(tables.rates, [RatesRow(account, day, rates)])
    reached = {"first": day, "last": day + HOLDS_DAYS, "after": ""}
    await set_timers(tx, tables.kernel, [_revaluing(tx, account, f"rates:{day}", reached)])


async def report_in(tx: Tx, account: str, currency: str) -> None:
    """Report in another currency from now on, and have all orders converted."""
    await reporting_of(tx, [account])
    await hold(tx, [account])
    chosen = Reporting(currency, get_currency_precision(currency))
    if (await _reporting(tx, [account])).get(account) == chosen:
        return
    await tx.upsert_many(tables.reporting, [ReportingRow(account, chosen)])
    await set_timers(tx, tables.kernel, [_revaluing(tx, account, f"in:{currency}", {"after": ""})])


def _revaluing(tx: Tx, account: str, name: str, payload: dict[str, Any]) -> TimerSet:
    return TimerSet(
        account=account,
        kind=REVALUE,
        name=name,
        customer="",
        store="",
        due=tx.now,
        payload=payload,
        unguarded=True,
        correlation=None,
        trace="",
    )


_RATES = Query(
    select(*tables.rates.columns)
    .where(tables.rates.c.account == bindparam("account"), tables.rates.c.day < bindparam("before"))
    .order_by(tables.rates.c.day.desc())
    .limit(bindparam("most"))
)


async def rates_before(reader: Reader, account: str, before: int, most: int) -> Sequence[RatesRow]:
    """The rates that an account was given, newest first."""
    return [RatesRow(*row) for row in await reader.fetch(_RATES, account=account, before=before, most=most)]
