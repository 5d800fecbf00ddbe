"""For whom a friend counts: touches inside the window, a typed code before any link, first or last, ties by code."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.loyalty.referral_records import Known, Touch
from services.loyalty.referring import Referrals

MOST_TOUCHES = 20


def chosen(touches: Iterable[Touch], moment: datetime, terms: Referrals) -> Touch | None:
    """The touch that counts at a moment; None when there is none inside the window."""
    since = moment - timedelta(days=terms.window_days)
    inside = [touch for touch in touches if since <= touch.at <= moment]
    typed = [touch for touch in inside if touch.typed]
    found = sorted(typed or inside)
    if not found:
        return None
    return found[0] if terms.touch == "first" else _last(found)


def touched(known: Known, touch: Touch) -> Known:
    """What is known, with one more touch; of too many the first one and the latest are kept."""
    touches = sorted({*known.touches, touch})
    if len(touches) > MOST_TOUCHES:
        del touches[1]
    return replace(known, touches=tuple(touches))


def _last(touches: list[Touch]) -> Touch:
    """The latest; of those at one moment the one whose code comes first, as with the first touch."""
    return min((touch for touch in touches if touch.at == touches[-1].at), key=lambda touch: touch.code)
