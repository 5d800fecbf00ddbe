"""Points as part of a payment: what they are worth, at least how many, in which steps, up to which share."""

from typing import Annotated

import msgspec

from shared.errors import Refused

Positive = Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class Payment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`points` points pay `worth` minor units of the programme's currency.

    At least `least` points, in multiples of `step`, and for at most `share_percent` of what is to be paid.
    """

    points: Positive = 100
    worth: Positive = 100
    least: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    step: Positive = 1
    share_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100

    def worth_of(self, points: int, amount: int) -> int:
        """Minor units that points pay of an amount; raises Refused 422 `below_minimum`, `not_a_step`, `above_share`."""
        if points < self.least:
            raise Refused("below_minimum", f"at least {self.least} points", pointer="/points")
        if points % self.step:
            raise Refused("not_a_step", f"in multiples of {self.step} points", pointer="/points")
        most = self.most(amount)
        if points > most:
            raise Refused("above_share", f"at most {most} points for this amount", pointer="/points")
        return points * self.worth // self.points

    def most(self, amount: int) -> int:
        """The most points, in whole steps, that may pay a part of an amount."""
        most = amount * self.share_percent * self.points // (100 * self.worth)
        return most - most % self.step
