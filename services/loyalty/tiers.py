"""Tiers as a pure fold over what counts for them, sorted by business time: days are local ordinals of the programme."""

from collections.abc import Sequence
from datetime import date
from operator import attrgetter
from typing import Annotated, Literal, NamedTuple

import msgspec

from services.loyalty import terms
from services.loyalty.expiry import MONTHS, MonthAndDay
from services.loyalty.records import Move

AMOUNT = {
    "points": attrgetter("points"),
    "spend": attrgetter("spent"),
    "orders": attrgetter("orders"),
    "referrals": attrgetter("friends"),
}


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tier is reached with `threshold` of what counts in the window; earning is multiplied by `percent` / 100.

    Whoever is in one of these `segments` has it too.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    threshold: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    percent: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    segments: frozenset[str] = frozenset()


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiers from the lowest up, reached `by` qualifying points, money spent (minor units), orders or friends brought.

    These count for `window_days` (rolling), until the day `window_starts` (calendar), until the next anniversary of
    joining (29 February is `leap` in common years), or for ever (lifetime). A lost tier is kept for `grace_days`, to
    the end of the `grace_to` in which they are over; then the member falls to what she has earned (full), by one step,
    the next of them a grace period later, or never. `warn_days` before that she is warned.
    """

    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1, max_length=20)]
    by: Literal["points", "spend", "orders", "referrals"] = "points"
    window: Literal["rolling", "calendar", "anniversary", "lifetime"] = "rolling"
    window_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 365
    window_starts: MonthAndDay = "01-01"
    leap: Literal["02-28", "03-01"] = "02-28"
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 30
    grace_to: Literal["day", "month", "quarter", "half_year", "year"] = "day"
    downgrade: Literal["full", "one_step", "never"] = "full"
    warn_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0

    def __post_init__(self) -> None:
        """Raises ValueError unless the lowest tier is free and each one is dearer than the one below."""
        date.fromisoformat(f"2000-{self.window_starts}")
        steps = [tier.threshold for tier in self.tiers]
        if steps[:1] != [0] or sorted(set(steps)) != steps:
            raise ValueError("thresholds must begin at 0 and rise")
        if len({tier.name for tier in self.tiers}) < len(self.tiers):
            raise ValueError("no two tiers may have the same name")

    def level_of(self, name: str) -> int:
        """The place of a tier on the ladder; 0 for a name that is not on it."""
        for level, tier in enumerate(self.tiers):
            if tier.name == name:
                return level
        return 0

    def earned(self, points: int) -> int:
        """The highest level that so much of what counts reaches."""
        level = 0
        for n, tier in enumerate(self.tiers):
            if tier.threshold > points:
                break
            level = n
        return level

    def leaves(self, accrued: int, joined: int) -> int | None:
        """The local day on which what came on one no longer counts, for who joined on another; None for never."""
        if self.window == "rolling":
            return accrued + self.window_days
        if self.window == "lifetime":
            return None
        named = self.window_starts if self.window == "calendar" else terms.month_and_day(joined)
        return terms.next_yearly(named, accrued + 1, self.leap)

    def falls(self, day: int) -> int:
        """The local day on which a tier falls that is no longer earned since another."""
        over = day + self.grace_days
        return over if self.grace_to == "day" else terms.next_period(over - 1, MONTHS[self.grace_to])

    def amount(self, move: Move) -> int:
        """What of a move counts."""
        found: int = AMOUNT[self.by](move)
        return found


GOES, COMES = 0, 1
Change = tuple[tuple[int, int], int]


class Standing(NamedTuple):
    """Where a member stands: the level, and the day on which it falls if nothing more comes."""

    level: int
    falls_on: int | None


LOWEST = Standing(0, None)


def standing(moves: Sequence[Move], ladder: Ladder, today: int, joined: int = 1) -> Standing:
    """Where these moves lead, on local day `today`, who joined on another: up at once, down when grace is over.

    On each day what leaves the window goes first, then an ended grace period is judged, then the day's moves come.
    """
    if _never_rises(moves, ladder):
        return LOWEST
    return _Climb(ladder).run(moves, today, joined)


def qualifying(moves: Sequence[Move], ladder: Ladder, today: int, joined: int = 1) -> int:
    """What counts on local day `today` for who joined on another."""
    return sum(ladder.amount(m) for m in moves if m.day <= today and _counts(ladder.leaves(m.accrued, joined), today))


def added(moves: tuple[Move, ...], *more: Move) -> tuple[Move, ...]:
    """The moves with more of them, in order, those of equal days summed up."""
    if len(more) == 1 and (not moves or (more[0].day, more[0].accrued) > (moves[-1].day, moves[-1].accrued)):
        return (*moves, *more) if _counts_at_all(more[0]) else moves
    totals: dict[tuple[int, int], Move] = {}
    for move in (*moves, *more):
        days = (move.day, move.accrued)
        held = totals.get(days)
        totals[days] = move if held is None else _sum(held, move)
    return tuple(
        move for _, move in sorted(totals.items()) if any((move.points, move.spent, move.orders, move.friends))
    )


def _counts_at_all(move: Move) -> bool:
    return bool(move.points or move.spent or move.orders or move.friends)


def _sum(one: Move, other: Move) -> Move:
    return Move(
        one.day,
        one.accrued,
        one.points + other.points,
        one.spent + other.spent,
        one.orders + other.orders,
        one.friends + other.friends,
    )


def _counts(leaves: int | None, day: int) -> bool:
    return leaves is None or day < leaves


def _never_rises(moves: Sequence[Move], ladder: Ladder) -> bool:
    if len(ladder.tiers) < 2:
        return True
    most, amount = ladder.tiers[1].threshold, AMOUNT[ladder.by]
    for move in moves:
        if (counted := amount(move)) > 0:
            most -= counted
    return most > 0


class _Climb:
    """The fold itself: a level that moves along the days on which points come and go."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.level = 0
        self.points = 0
        self.falls_on: int | None = None

    def run(self, moves: Sequence[Move], today: int, joined: int) -> Standing:
        ahead = self._changes(moves, today, joined)
        for (day, part), points in ahead:
            if day > today:
                break
            self._step(day, points, coming=part == COMES)
        self._grace_until(today)
        return Standing(self.level, self._fall(ahead, today) if self.falls_on is None else self.falls_on)

    def _changes(self, moves: Sequence[Move], today: int, joined: int) -> list[Change]:
        """What goes and comes, by day."""
        ladder, found = self.ladder, dict[tuple[int, int], int]()
        for move in moves:
            leaves = ladder.leaves(move.accrued, joined)
            if move.day <= today and _counts(leaves, move.day):
                amount, comes = ladder.amount(move), (move.day, COMES)
                found[comes] = found.get(comes, 0) + amount
                if leaves is not None:
                    found[leaves, GOES] = found.get((leaves, GOES), 0) - amount
        return sorted(found.items())

    def _step(self, day: int, points: int, *, coming: bool) -> None:
        if coming:
            self._grace_until(day)
        else:
            self._grace_until(day - 1)
        self.points += points
        earned = self.ladder.earned(self.points)
        if earned >= self.level:
            self.level, self.falls_on = earned, None
        elif self.falls_on is None and self.ladder.downgrade != "never":
            self.falls_on = self.ladder.falls(day)

    def _grace_until(self, day: int) -> None:
        while self.falls_on is not None and self.falls_on <= day:
            fell_on, earned = self.falls_on, self.ladder.earned(self.points)
            self.level = self.level - 1 if self.ladder.downgrade == "one_step" else earned
            self.falls_on = None if self.level == earned else max(fell_on + 1, self.ladder.falls(fell_on))

    def _fall(self, ahead: Sequence[Change], today: int) -> int | None:
        """The day on which the level falls when points only leave from now on."""
        points = self.points
        for (day, _), change in ahead:
            if day > today:
                points += change
                if self.ladder.earned(points) < self.level:
                    return None if self.ladder.downgrade == "never" else self.ladder.falls(day)
        return None
