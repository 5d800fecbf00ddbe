"""Scoring is folded out of facts, so it can be made anew out of the archive of facts: without a word to anybody."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import asdict, replace
from sqlalchemy import delete, update

from services.scoring import tables
from services.scoring.desk import REVIEW, Desk, Key, filled
from services.scoring.features import NOBODY, local_day
from services.scoring.records import Member
from services.scoring.segments import Segment
from shared.db import Query, Tx
from shared.service import Refold
from shared.workset import TimerSet, Work

ON_THE_BUS = timedelta(days=14)
_FORGET_ORDERS = Query(delete(tables.purchase))
_FORGET_HABITS = Query(update(tables.member).values(**asdict(NOBODY)))


class MuteDesk(Desk):
    """A desk that tells nothing: customers stay in the segment they were last told to be in, and are reviewed soon.

    Of whom no segment was ever told, and whose last order is so old that it is on its way to nobody any more, is put
    down where she stands.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.told: dict[Key, Member] = {}

    async def store(self, tx: Tx) -> None:
        """Write what the facts come to, and have who would stand elsewhere reviewed."""
        self.facts.rows.clear()
        for key, member in list(self.members.changed.items()):
            if member is not None:
                self.members[key] = self._as_told(member, self.told[key])
        self.members.keep()
        self.timers.keep()
        await super().store(tx)

    def _as_told(self, member: Member, told: Member) -> Member:
        if self._is_old_news(member, told):
            return member
        if member.segment != told.segment:
            name, guarded = member.customer, False
            due = TimerSet(member.account, REVIEW, name, name, member.store, self.now, {}, guarded, None, "")
            self.timers[member.account, f"{REVIEW}:{name}"] = due
        return replace(member, segment=told.segment, since=told.since)

    def _is_old_news(self, member: Member, told: Member) -> bool:
        quiet_days = local_day(self.now, member.zone or "UTC") - member.last_day
        return told.segment == Segment.PROSPECT and quiet_days > ON_THE_BUS.days


async def _clear(tx: Tx) -> None:
    """Forget orders and habits; what customers were told to be stays, and the models in force with it."""
    await tx.execute(_FORGET_ORDERS)
    await tx.execute(_FORGET_HABITS)


async def _load(tx: Tx, work: Sequence[Work]) -> MuteDesk:
    desk = await filled(tx, MuteDesk(tx.now), work)
    desk.told = {(member.account, member.customer): member for member in desk.members.values()}
    return desk


refold = Refold(_clear, _load)
