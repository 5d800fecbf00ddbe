"""The replay: business time goes from one input or due timer to the next, and everything settles in between."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from demo.club import Club
from demo.inputs import Input
from demo.installation import GRID, Installation
from demo.sender import Shop
from shared.clock import machine_now

Progress = Callable[[int, datetime], None]
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def floor(moment: datetime) -> datetime:
    """The last point of the grid that is not after `moment`."""
    return moment - (moment - EPOCH) % GRID


def ceiling(moment: datetime) -> datetime:
    """The first point of the grid that is not before `moment`."""
    return floor(moment + GRID - datetime.resolution)


async def replay(
    installation: Installation, shop: Shop, club: Club, inputs: Sequence[Input], progress: Progress
) -> None:
    """Hand in everything at its time, let what falls due happen and members take rewards, up to the real now."""
    done = 0
    while (stop := await _next_stop(installation, inputs[done : done + 1])) is not None:
        installation.clock.move_to(stop)
        upto = _upto(inputs, done, stop)
        await shop.send(inputs[done:upto])
        await installation.settle(handed_in=upto > done)
        if await club.serve(inputs[done:upto]):
            await installation.settle()
        done = upto
        progress(done, stop)
    installation.clock.move_to(machine_now())
    await shop.send(inputs[done:])
    await installation.settle(fit=True)
    progress(len(inputs), installation.clock.now())


async def _next_stop(installation: Installation, following: Sequence[Input]) -> datetime | None:
    """Where the next input or timer comes to lie on the grid; None when that is not in the past."""
    now = installation.clock.now()
    moments = [one.at for one in following]
    due = await installation.next_due()
    if due is not None:
        moments.append(max(due, now))
    stop = ceiling(min(moments)) if moments else machine_now()
    return stop if stop < machine_now() else None


def _upto(inputs: Sequence[Input], done: int, stop: datetime) -> int:
    while done < len(inputs) and inputs[done].at <= stop:
        done += 1
    return done
