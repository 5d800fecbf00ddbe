"""What another programme would do to the tiers of the members there are, before it is in force."""

from collections import Counter

import msgspec

from services.loyalty import standings
from services.loyalty.programmes import Programme
from services.loyalty.records import Member

NO_SEGMENT = "none"


class Moved(msgspec.Struct, frozen=True):
    """So many members of a segment go from one tier to another, or stay."""

    segment: str
    before: str
    after: str
    members: int


class Impact(msgspec.Struct, frozen=True):
    """How many members there are, rise and fall, and by segment how many go from which tier to which."""

    members: int
    rise: int
    fall: int
    moves: tuple[Moved, ...]


class Count:
    """Members counted as they would stand by a draft on a local day.

    Who rises and falls goes by the place of both tiers on the draft's ladder; a tier that is not on it is its lowest.
    """

    def __init__(self, current: Programme, draft: Programme, today: int) -> None:
        self._lowest = current.ladder.tiers[0].name
        self._draft = draft
        self._today = today
        self._ways: Counter[str] = Counter()
        self._moves: Counter[tuple[str, str, str]] = Counter()

    def add(self, member: Member) -> None:
        """Look at one more member."""
        ladder, before = self._draft.ladder, member.tier or self._lowest
        level, held = standings.place(member, self._draft, self._today).level, ladder.level_of(before)
        self._ways["rise" if level > held else "fall" if level < held else "stay"] += 1
        for segment in member.segments or (NO_SEGMENT,):
            self._moves[segment, before, ladder.tiers[level].name] += 1

    def told(self) -> Impact:
        """What came of it."""
        moves = tuple(Moved(*move, number) for move, number in sorted(self._moves.items()))
        return Impact(self._ways.total(), self._ways["rise"], self._ways["fall"], moves)
