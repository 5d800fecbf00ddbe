"""Tiers as a pure fold over qualifying points sorted by business time: days are local ordinals of the programme."""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, NamedTuple

import msgspec

from services.loyalty.records import Move


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tier is reached with `threshold` qualifying points in the window; earning is multiplied by `percent` / 100."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    threshold: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    percent: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiers from the lowest up; points count for `window_days`, a lost tier is kept for `grace_days` more."""

    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1, max_length=20)]
    window_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 365
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 30

    def __post_init__(self) -> None:
        """Raises ValueError unless the lowest tier is free and each one is dearer than the one below."""
        steps = [tier.threshold for tier in self.tiers]
        if steps[:1] != [0] or sorted(set(steps)) != steps:
            raise ValueError("thresholds must begin at 0 and rise")
        if len({tier.name for tier in self.tiers}) < len(self.tiers):
            raise ValueError("no two tiers may have the same name")

    def level_of(self, name: str) -> int:
        """The place of a tier on the ladder; 0 for a name that is not on it."""
        return next((n for n, tier in enumerate(self.tiers) if tier.name == name), 0)

    def earned(self, points: int) -> int:
        """The highest level that so many qualifying points reach."""
        return max((n for n, tier in enumerate(self.tiers) if tier.threshold <= points), default=0)


class Standing(NamedTuple):
    """Where a member stands: the level, and the day on which it falls if nothing more comes."""

    level: int
    falls_on: int | None


LOWEST = Standing(0, None)


def standing(moves: Sequence[Move], ladder: Ladder, today: int) -> Standing:
    """Where these moves lead on local day `today`: up at once, down when the grace period is over.

    On each day points leave the window first, then an ended grace period is judged, then the day's points come.
    """
    if _never_rises(moves, ladder):
        return LOWEST
    return _Climb(ladder).run(moves, today)


def qualifying(moves: Sequence[Move], ladder: Ladder, today: int) -> int:
    """Qualifying points in the window on local day `today`."""
    return sum(m.points for m in moves if m.day <= today < m.accrued + ladder.window_days)


def added(moves: tuple[Move, ...], *more: Move) -> tuple[Move, ...]:
    """The moves with more of them, in order, those of equal days summed up."""
    if not moves and len(more) == 1:
        return more
    totals: dict[tuple[int, int], int] = {}
    for move in (*moves, *more):
        days = (move.day, move.accrued)
        totals[days] = totals.get(days, 0) + move.points
    return tuple(Move(day, accrued, points) for (day, accrued), points in sorted(totals.items()) if points)


def _never_rises(moves: Sequence[Move], ladder: Ladder) -> bool:
    if len(ladder.tiers) < 2:
        return True
    most = ladder.tiers[1].threshold
    for move in moves:
        if move.points > 0:
            most -= move.points
    return most > 0


class _Climb:
    """The fold itself: a level that moves along the days on which points come and go."""

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.level = 0
        self.points = 0
        self.falls_on: int | None = None

    def run(self, moves: Sequence[Move], today: int) -> Standing:
        window = self.ladder.window_days
        counted = [m for m in moves if m.day < m.accrued + window and m.day <= today]
        comes = [(m.day, 1, m.points) for m in counted]
        goes = [(m.accrued + window, 0, -m.points) for m in counted]
        days = groupby(sorted(comes + goes), key=lambda change: change[:2])
        ahead = [(day, part, sum(c[2] for c in changes)) for (day, part), changes in days]
        for day, part, points in ahead:
            if day > today:
                break
            self._step(day, points, coming=part == 1)
        self._grace_until(today)
        return Standing(self.level, self._fall(ahead, today) if self.falls_on is None else self.falls_on)

    def _step(self, day: int, points: int, *, coming: bool) -> None:
        if coming:
            self._grace_until(day)
        else:
            self._grace_until(day - 1)
        self.points += points
        earned = self.ladder.earned(self.points)
        if earned >= self.level:
            self.level, self.falls_on = earned, None
        elif self.falls_on is None:
            self.falls_on = day + self.ladder.grace_days

    def _grace_until(self, day: int) -> None:
        if self.falls_on is not None and self.falls_on <= day:
            self.level, self.falls_on = self.ladder.earned(self.points), None

    def _fall(self, ahead: Sequence[tuple[int, int, int]], today: int) -> int | None:
        """The day on which the level falls when points only leave from now on."""
        points = self.points
        for day, _, change in ahead:
            points += change if day > today else 0
            if day > today and self.ladder.earned(points) < self.level:
                return day + self.ladder.grace_days
        return None
