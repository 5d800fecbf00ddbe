"""A draft tried on all members there are: what their tiers would be."""

from sqlalchemy import bindparam, select

from services.loyalty import tables, terms, wallets
from services.loyalty.holders import MAIN
from services.loyalty.impact import Count, Impact
from services.loyalty.programmes import Programme
from shared.db import Query, Reader

AT_ONCE = 1_000
_member = tables.member
MEMBERS = Query(
    select(*_member.columns)
    .where(
        _member.c.account == bindparam("account"),
        _member.c.customer > bindparam("after"),
        tables.in_one_wallet(_member.c.customer, MAIN),
    )
    .order_by(_member.c.customer)
    .limit(AT_ONCE)
)


async def impact_of(reader: Reader, account: str, current: Programme, draft: Programme) -> Impact:
    """What a draft would do to the tiers of an account's members today; the event loop breathes between pages."""
    count, after = Count(current, draft, terms.local_day(draft.zone, reader.now)), ""
    while rows := await reader.fetch(MEMBERS, account=account, after=after):
        members = [wallets.member_of(*row) for row in rows]
        after = members[-1].customer
        for member in members:
            if member.program:
                count.add(member)
    return count.told()
