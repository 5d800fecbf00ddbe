"""The audit log: every change that a server's key made, in the transaction that made it."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import bindparam, select

from services.loyalty import tables
from services.loyalty.desk import Desk
from services.loyalty.records import AuditRow
from shared.access import Caller
from shared.db import Query, Reader, new_id
from shared.web import Page, page, read_cursor
from shared.workset import Command

Body = TypeVar("Body")
Judge = Callable[[Command, Desk], Body]
_audit = tables.audit
EVENTS = Query(
    select(*_audit.columns)
    .where(_audit.c.account == bindparam("account"), _audit.c.id < bindparam("before"))
    .order_by(_audit.c.id.desc())
    .limit(bindparam("most"))
)


def audited(caller: Caller, action: str, subject: str, judge: Judge[Body]) -> Judge[Body]:
    """The judgement of a call that leaves a line in the audit log when it changes something."""

    def act(command: Command, desk: Desk) -> Body:
        body = judge(command, desk)
        if body is not False:
            desk.audit.append(
                AuditRow(command.account, new_id("aud"), desk.now, caller.key, action, subject, command.customer)
            )
        return body

    return act


async def page_of(reader: Reader, account: str, limit: int, cursor: str) -> Page[AuditRow]:
    """The log, the newest first."""
    (before,) = read_cursor(cursor, tuple[str]) if cursor else ("aud~",)
    rows = [AuditRow(*row) for row in await reader.fetch(EVENTS, account=account, before=before, most=limit + 1)]
    return page(rows, limit, lambda row: (row.id,))
