"""Where a member stands: by what she has earned, by a membership that is paid for, by the segments she is in."""

from collections.abc import Sequence

from services.loyalty import terms, tiers
from services.loyalty.programmes import Programme
from services.loyalty.records import Member
from services.loyalty.tiers import Ladder, Standing


def place(member: Member, programme: Programme, today: int) -> Standing:
    """The member's level on a local day, and the day on which it falls if nothing more comes."""
    ladder = programme.ladder
    found = tiers.standing(member.moves, ladder, today, joined(member, programme))
    floors = _floors(member, ladder, today) if member.passes or member.segments else ()
    return _raised(found, floors) if floors else found


def qualifying(member: Member, programme: Programme, today: int) -> int:
    """What counts for the member's tier on a local day: points, minor units or orders."""
    return tiers.qualifying(member.moves, programme.ladder, today, joined(member, programme))


def joined(member: Member, programme: Programme) -> int:
    """The local day of joining, where anything goes by it."""
    return terms.local_day(programme.zone, member.joined_at) if programme.ladder.window == "anniversary" else 1


def _floors(member: Member, ladder: Ladder, today: int) -> list[Standing]:
    paid = [Standing(ladder.level_of(one.tier), one.until) for one in member.passes if one.since <= today < one.until]
    if not member.segments:
        return paid
    named = [n for n, tier in enumerate(ladder.tiers) if not tier.segments.isdisjoint(member.segments)]
    return [*paid, *(Standing(level, None) for level in named)]


def _raised(found: Standing, floors: Sequence[Standing]) -> Standing:
    """The highest of these levels, for as long as anything holds it."""
    level = max(found.level, *(floor.level for floor in floors))
    until = [one.falls_on for one in (found, *floors) if one.level == level]
    if level == 0 or None in until:
        return Standing(level, None)
    return Standing(level, max(day for day in until if day is not None))
