"""The life of a referral: made with a verdict, brought along by what the friend does, decided by the shop."""

from datetime import datetime
from typing import NamedTuple
from uuid import uuid5

from msgspec.structs import replace

from services.loyalty.desk import Desk
from services.loyalty.programmes import Programme
from services.loyalty.records import Note
from services.loyalty.referral_records import Case, How, Party, Referral, Status, Touch
from services.loyalty.referrals import judgement, steps
from services.loyalty.referrals.judgement import Ties, Verdict
from services.loyalty.referrals.steps import News
from services.loyalty.referring import Referrals
from shared.events.base import NAMESPACE
from shared.events.loyalty import (
    ReferralApproved,
    ReferralHeld,
    ReferralJudged,
    ReferralQualified,
    ReferralRejected,
    ReferralReversed,
)

_TOLD: dict[Status, type[ReferralJudged]] = {
    "approved": ReferralApproved,
    "held": ReferralHeld,
    "rejected": ReferralRejected,
}
REPLACED = "code_of_another"


class Came(NamedTuple):
    """How a friend came: by which touch, to whose code, when that counted."""

    touch: Touch
    referrer: str
    at: datetime

    @property
    def how(self) -> How:
        """By a link, or by a code that was typed."""
        return "code" if self.touch.typed else "link"


def referral_id(friend: str, referrer: str) -> str:
    """The id of the referral of a friend by a member: there is one at most."""
    return f"ref_{uuid5(NAMESPACE, f'{friend}|{referrer}').hex}"


def standing(desk: Desk, account: str, friend: str) -> Referral | None:
    """The referral that counts for somebody, or may yet; None when there is none or all were turned down."""
    found = [one for one in desk.referrals_of(account, friend) if one.status != "rejected"]
    return found[0] if found else None


def opened(came: Came, desk: Desk, programme: Programme, terms: Referrals, *, existing: bool) -> Referral | None:
    """Make the referral of the customer in hand and tell the verdict; None when there was one by that member before."""
    account, friend = desk.work.account, desk.work.customer
    name = referral_id(friend, came.referrer)
    if (account, name) in desk.referrals:
        return None
    verdict = _verdict(desk.party(account, friend), desk.party(account, came.referrer), desk, terms, existing=existing)
    body = Case(
        told_as=friend,
        code=came.touch.code,
        how=came.how,
        program=programme.id,
        version=programme.version,
        score=verdict.score,
        reasons=verdict.reasons,
    )
    made = Referral(account, name, friend, came.referrer, verdict.status, came.at, body)
    desk.recent[account, came.referrer] = desk.recent.get((account, came.referrer), 0) + 1
    _tell_verdict(made, desk)
    desk.put_referral(made)
    return made


def keep(referral: Referral, desk: Desk) -> Referral:
    """Put a referral on the desk and tell both sides what counts of it now, and what does no longer."""
    after, news = steps.settled(referral)
    desk.put_referral(after)
    for one in news:
        _tell_step(after, one, desk)
    return after


def decide(referral: Referral, status: Status, note: Note | None, desk: Desk, *, reason: str = "") -> Referral:
    """Give a referral another status: the shop's own word has a note, ours a reason."""
    reasons = (*referral.body.reasons, reason) if reason else referral.body.reasons
    decided = replace(referral, status=status, body=replace(referral.body, decided=note, reasons=reasons))
    _tell_verdict(decided, desk)
    return keep(decided, desk)


def _verdict(friend: Party, referrer: Party, desk: Desk, terms: Referrals, *, existing: bool) -> Verdict:
    ties = Ties(
        brought=desk.brought.get((referrer.account, referrer.customer), ()),
        recent=desk.recent.get((referrer.account, referrer.customer), 0),
        existing=existing,
    )
    return judgement.judged(friend, referrer, ties, terms)


def _tell_verdict(referral: Referral, desk: Desk) -> None:
    fact = _TOLD[referral.status](
        referral=referral.id,
        referrer=referral.referrer,
        score=referral.body.score,
        reasons=referral.body.reasons,
    )
    desk.emit(fact)


def _tell_step(referral: Referral, news: News, desk: Desk) -> None:
    """Each side in its own line, under the id that the referral has named from the beginning."""
    step, body = news.step, referral.body
    kind = ReferralQualified if step.kept else ReferralReversed
    fact = kind(
        program=body.program,
        program_version=body.version,
        referral=referral.id,
        side="friend",
        order=step.order,
        number=step.number,
        kept=step.kept,
    )
    desk.emit(fact, customer=body.told_as)
    desk.emit(replace(fact, side="referrer", friends=news.friends), customer=referral.referrer)
