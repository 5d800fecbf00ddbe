"""The books of messages: what was claimed is accepted, refused, unknown, withdrawn or still on its way."""

from sqlalchemy import func, or_, select

from services.notifications import tables
from services.notifications.ledger import TOO_LATE
from services.notifications.records import MessageState
from shared.db.base import Query, Reader
from shared.service import Audit

_message, _counter = tables.message, tables.kernel.counter
BY_STATE = Query(select(_message.c.state, func.count()).group_by(_message.c.state))
COUNTED = Query(
    select(_counter.c.name, func.sum(_counter.c.value))
    .where(or_(_counter.c.name.startswith("messages:"), _counter.c.name == TOO_LATE))
    .group_by(_counter.c.name)
)
SETTLED = (MessageState.ACCEPTED, MessageState.REFUSED, MessageState.UNKNOWN, MessageState.WITHDRAWN)


async def audit(reader: Reader) -> Audit:
    """Messages by state against what was counted when each was claimed and settled; none after a known purchase."""
    states = {state: int(number) for state, number in await reader.fetch(BY_STATE)}
    counted = {name.removeprefix("messages:"): int(number) for name, number in await reader.fetch(COUNTED)}
    settled = {state.value: states.get(state.value, 0) for state in SETTLED}
    claimed = sum(states.values())
    figures = {"claimed": claimed, **settled, "pending": claimed - sum(settled.values())}
    faults = [
        f"messages {name}: {figures[name]} in the ledger, {counted.get(name, 0)} counted"
        for name in ("claimed", *settled)
        if figures[name] != counted.get(name, 0)
    ]
    too_late = counted.get(TOO_LATE, 0)
    if too_late:
        faults.append(f"{too_late} messages went out after a purchase that ends them was known")
    return Audit({**{f"messages_{name}": number for name, number in figures.items()}, TOO_LATE: too_late}, faults)
