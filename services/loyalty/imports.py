"""Balances from another system: one lot for each row, with its own age and expiry; a row twice counts once."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid5

import msgspec

from services.loyalty import awarding, ledger, schedule, terms
from services.loyalty.desk import Desk
from services.loyalty.handlers import climb
from services.loyalty.holders import MAIN
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import AVAILABLE, IMPORTED, PENDING, Award, Lot, Member, Move
from services.loyalty.redemptions import member_and_programme
from shared.db import new_id
from shared.errors import Invalid
from shared.events.base import NAMESPACE, Lane
from shared.workset import Command

MOST_ROWS = 1_000
COLUMNS = ("customer", "points", "reference", "accrued_at", "expires_at", "available_at", "qualifies", "wallet")
TRUE = frozenset({"1", "true", "yes"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One lot: whose, how many points of which wallet, since when, until when (None: by the programme).

    `reference` is its id there.
    """

    customer: str
    points: int
    reference: str
    accrued_at: datetime | None = None
    expires_at: datetime | None = None
    available_at: datetime | None = None
    qualifies: bool = False
    wallet: str = MAIN


def read(text: str) -> list[Row]:
    """Rows of a CSV file with a header; raises Invalid with a pointer to every faulty row."""
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    try:
        return _read(lines)
    except csv.Error as error:
        raise Invalid([(f"/{lines.line_num}", str(error))]) from error


def _read(lines: "csv.DictReader[str]") -> list[Row]:
    unknown = [name for name in lines.fieldnames or () if name not in COLUMNS]
    if unknown or not {"customer", "points", "reference"} <= set(lines.fieldnames or ()):
        raise Invalid([("/0", f"columns are {', '.join(COLUMNS)}; the first three are needed")])
    faults, rows = list[tuple[str, str]](), list[Row]()
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(line))
        except (ValueError, TypeError, AttributeError) as error:
            faults.append((f"/{number}", str(error)))
    if len(rows) > MOST_ROWS:
        faults.append((f"/{MOST_ROWS + 1}", f"at most {MOST_ROWS} rows in one call"))
    if faults:
        raise Invalid(faults)
    return rows


def award_of(customer: str, row: Row) -> str:
    """The id under which a row is known to have been imported."""
    return awarding.award_id(customer, IMPORTED, row.reference)


def take(command: Command, desk: Desk, row: Row) -> bool:
    """Enter a row as a lot; gives whether it was new; raises Refused 422 `unknown_wallet`."""
    member, programme = member_and_programme(command, desk, row.wallet)
    name = award_of(command.customer, row)
    if (command.account, name) in desk.awards:
        return False
    accrued_at = row.accrued_at or desk.now
    cause = Cause(new_id("txn"), "import", name, accrued_at, desk.now)
    done = ledger.earn(member, _lot(row, name, accrued_at, member, programme, desk.now), row.points, cause)
    after = schedule.sooner(desk, desk.book(done), done.lots, programme)
    if row.qualifies:
        day = terms.local_day(programme.zone, accrued_at)
        climb(after, Move(day, day, row.points), desk, programme)
    desk.put_award(
        Award(
            command.account,
            name,
            command.customer,
            IMPORTED,
            programme.version,
            row.reference,
            row.points,
            cause.transaction,
            accrued_at,
        )
    )
    return True


def commands(account: str, rows: Sequence[tuple[str, Row]], now: datetime) -> list[tuple[Command, Row]]:
    """A call for each row, named after its customer and reference; sorted, since many lock their customers at once."""
    return [
        (
            Command(
                account=account,
                customer=customer,
                store="",
                id=uuid5(NAMESPACE, f"{account}|{customer}|import|{row.reference}"),
                time=now,
                about=award_of(customer, row),
                lane=Lane.HISTORY,
            ),
            row,
        )
        for customer, row in sorted(rows, key=lambda one: one[0])
    ]


def _row(line: dict[str, str]) -> Row:
    points = int(line["points"])
    if not 1 <= points <= 10**9:
        raise ValueError("points are a whole number from 1 to 1,000,000,000")
    if not line["customer"].strip() or not line["reference"].strip():
        raise ValueError("customer and reference must be given")
    wallet, qualifies = (line.get("wallet") or MAIN).strip(), (line.get("qualifies") or "").strip().lower() in TRUE
    if qualifies and wallet != MAIN:
        raise ValueError("only points of the main wallet qualify")
    return Row(
        customer=line["customer"].strip(),
        points=points,
        reference=line["reference"].strip(),
        accrued_at=_moment(line.get("accrued_at")),
        expires_at=_moment(line.get("expires_at")),
        available_at=_moment(line.get("available_at")),
        qualifies=qualifies,
        wallet=wallet,
    )


def _moment(written: str | None) -> datetime | None:
    if not written or not written.strip():
        return None
    moment = datetime.fromisoformat(written.strip())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _lot(row: Row, name: str, accrued_at: datetime, member: Member, programme: Programme, now: datetime) -> Lot:
    matures_at = row.available_at or accrued_at
    expires_at = row.expires_at or programme.expires_at(accrued_at, matures_at)
    return Lot(
        account=member.account,
        id=awarding.lot_id(name),
        customer=member.customer,
        source=name,
        state=PENDING if matures_at > now else AVAILABLE,
        issued=0,
        remaining=0,
        open=False,
        accrued_at=accrued_at,
        matures_at=matures_at,
        expires_at=expires_at,
    )
