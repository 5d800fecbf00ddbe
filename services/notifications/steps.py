"""A step falls due: the arbiter is asked, and its answer is a claim, a wait, or a reason that is kept."""

from datetime import datetime

from services.notifications import policy, slots
from services.notifications.audience import zone_of
from services.notifications.desk import STEP, Desk
from services.notifications.engine import advance, due, step_of
from services.notifications.journeys import BY_NAME, Email, Journey
from services.notifications.ledger import claim, consented, suppressed
from services.notifications.policy import Answer, Ask, Verdict
from services.notifications.records import Run
from shared.workset import Due


def take_step(timer: Due, desk: Desk) -> None:
    """Take the next step of a run, if it is due and the arbiter agrees."""
    run = desk.runs.get((timer.account, timer.payload["journey"], timer.payload["key"]))
    at = due(BY_NAME[run.journey], run) if run is not None else None
    if run is None or at is None:
        return
    journey = BY_NAME[run.journey]
    if at > desk.now:
        _look_again(desk, run, at)
        return
    message = step_of(journey, run).message
    if not (run.store or desk.contact.store):
        _give_up(desk, journey, run, message, Verdict(Answer.SKIP, "no_shop"))
        return
    ask = _ask(desk, journey, run, message, at)
    verdict = policy.judge(ask, desk.limits)
    if verdict.answer is Answer.WAIT and verdict.until is not None:
        desk.decide(run, message.template, verdict.reason, verdict.rule, message.channel)
        _look_again(desk, run, verdict.until)
    elif verdict.answer is Answer.SEND:
        _send(desk, journey, run, message, ask)
    else:
        _give_up(desk, journey, run, message, verdict)


def _send(desk: Desk, journey: Journey, run: Run, message: Email, ask: Ask) -> None:
    until = policy.expires(ask, desk.limits)
    if not claim(desk, run, message.template, message.channel, ask.purpose, until):
        _give_up(desk, journey, run, message, Verdict(Answer.SKIP, "already_claimed"))
        return
    desk.apply(journey, advance(journey, run, desk.now, sent=True))


def _give_up(desk: Desk, journey: Journey, run: Run, message: Email, verdict: Verdict) -> None:
    desk.decide(run, message.template, verdict.reason, verdict.rule, message.channel)
    desk.skipped(run, message.template, verdict.reason)
    desk.apply(journey, advance(journey, run, desk.now, sent=False))


def _look_again(desk: Desk, run: Run, at: datetime) -> None:
    payload = {"journey": run.journey, "key": run.key}
    desk.set_timer(STEP, f"{run.journey}:{run.key}", at, payload, customer=run.customer)


def _ask(desk: Desk, journey: Journey, run: Run, message: Email, at: datetime) -> Ask:
    contact = desk.contact
    shop = desk.shop(run.store or contact.store)
    cart = run.content.cart
    lot, common_lot = slots.lots(run)
    return Ask(
        purpose=journey.purpose,
        address=contact.address,
        suppressed=suppressed(desk, contact, message.channel, journey.purpose),
        consent=consented(desk, contact, message.channel, journey.purpose),
        exit_reason="empty_cart" if cart is not None and not cart.lines else "",
        due=at,
        now=desk.now,
        valid_for=journey.valid_for,
        recent=slots.recent(desk, message.channel),
        rivals=slots.rivals(desk, journey, run),
        cooling=slots.is_cooling(desk, journey, run),
        lot=lot,
        common_lot=common_lot,
        zone=zone_of(contact.zone, contact.phone, contact.country, shop.zone),
    )
