"""How much an address already gets: what counts against its cap, what it just got, and what else wants a slot."""

from datetime import datetime, timedelta

from services.notifications import policy
from services.notifications.desk import Desk
from services.notifications.engine import due, step_of
from services.notifications.journeys import BY_NAME, Journey
from services.notifications.records import Message, MessageState, Purpose, Run, RunState

UNSENT = {MessageState.REFUSED, MessageState.WITHDRAWN}
LOOK_AHEAD = timedelta(days=1)
ALL_JOURNEYS = "*"


def recent(desk: Desk, channel: str) -> int:
    """Marketing messages that the address got on a channel, or is about to get, within the cap's window."""
    since = desk.now - desk.limits.window
    return sum(
        message.channel == channel and message.purpose is Purpose.MARKETING and _counts(message, since)
        for message in desk.messages_to(desk.contact)
    )


def is_cooling(desk: Desk, journey: Journey, run: Run) -> bool:
    """Whether the run's next step went to the address within the journey's cooldown, about something else."""
    step = step_of(journey, run).message
    since = desk.now - journey.cooldown
    return any(
        (message.journey, message.step, message.channel) == (run.journey, step.template, step.channel)
        and message.subject != run.subject
        and _counts(message, since)
        for message in desk.messages_to(desk.contact)
    )


def rivals(desk: Desk, journey: Journey, run: Run) -> int:
    """How many of the customer's runs of a higher rank will want a slot on the channel within a day."""
    return sum(_is_rival(desk, journey, run, other) for other in desk.runs_of(run.customer))


def lots(run: Run) -> tuple[int, int]:
    """Where the customer falls in the draw of the run's journey and in that of all journeys."""
    return (
        policy.lot_of(run.account, run.journey, run.customer),
        policy.lot_of(run.account, ALL_JOURNEYS, run.customer),
    )


def _is_rival(desk: Desk, journey: Journey, run: Run, other: Run) -> bool:
    theirs = BY_NAME[other.journey]
    at = due(theirs, other)
    if other.state is not RunState.RUNNING or at is None or at > desk.now + LOOK_AHEAD:
        return False
    if theirs.purpose is not Purpose.MARKETING or theirs.rank(other.content) <= journey.rank(run.content):
        return False
    if step_of(theirs, other).message.channel != step_of(journey, run).message.channel:
        return False
    return not policy.held_out(*lots(other), desk.limits) and not is_cooling(desk, theirs, other)


def _counts(message: Message, since: datetime) -> bool:
    return message.claimed_at > since and message.state not in UNSENT
