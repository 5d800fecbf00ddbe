"""What referrals do with facts: touches and prints are noted, sign-ups and orders bring a referral along."""

from datetime import datetime

from msgspec.structs import replace

from services.loyalty.awards import reward_fact
from services.loyalty.catalogue import key_of
from services.loyalty.desk import Desk
from services.loyalty.programmes import Programme
from services.loyalty.records import Rating
from services.loyalty.referral_records import Party, Referral, Touch
from services.loyalty.referrals import attribution, cases, links, prints, steps
from services.loyalty.referrals.cases import Came
from services.loyalty.referring import Referrals
from shared.events import Event, Lane
from shared.events.ingest import OrderFact, ProfileUpdated, ReferralClicked


def note_touch(event: Event[ReferralClicked], desk: Desk) -> None:
    """Note by whose code a visitor came; of customers, and members who try their own, only the device is noted."""
    programme, terms = _terms(event.account, event.store, desk)
    if terms is None:
        return
    party, fact = desk.party(event.account, event.customer), event.fact
    if fact.device:
        party = _with_prints(party, [prints.print_of(event.account, "device", fact.device)])
    code = desk.referral_codes.get((event.account, key_of(fact.code)))
    customer = bool(desk.members[event.account, event.customer].first_order)
    if code is not None and code.customer != event.customer and not customer:
        touch = Touch(event.time, code.key, fact.typed)
        party = replace(party, known=attribution.touched(party.known, touch))
    if party != desk.party(event.account, event.customer):
        desk.parties[event.account, event.customer] = party
    if event.lane is Lane.LIVE:
        _sign_up(event, desk, programme, terms)


def note_profile(event: Event[ProfileUpdated], desk: Desk) -> None:
    """Pay for the profile, note the prints of address and telephone; who is named from now on has signed up."""
    reward_fact(event, desk)
    programme, terms = _terms(event.account, event.store, desk)
    if terms is None:
        return
    found = prints.of_email(event.account, event.fact.email)
    if event.fact.phone:
        found.append(prints.print_of(event.account, "phone", event.fact.phone))
    before = desk.party(event.account, event.customer)
    after = _with_prints(before, found)
    if after != before:
        desk.parties[event.account, event.customer] = after
    if event.lane is Lane.LIVE:
        _sign_up(event, desk, programme, terms)


def follow_order(event: Event[OrderFact], desk: Desk) -> None:
    """Bring the referral by which an order's customer came to what of the order counts; a first order may open one."""
    rating = desk.ratings.get((event.account, event.fact.order.id))
    if rating is None or rating.context is None or event.fact.order.test or not desk.versions[event.account].refers:
        return
    _introduce(event.account, event.customer, desk, event.store)
    referral = _counting(event, rating, desk)
    if referral is not None:
        at = rating.context.accrued_at
        cases.keep(steps.brought_to(referral, rating.order_id, rating.spent, at), desk)


def _counting(event: Event[OrderFact], rating: Rating, desk: Desk) -> Referral | None:
    """The referral that an order belongs to; one that now is another customer's leaves its old one."""
    held = desk.referral_of(event.account, rating.order_id)
    if held is not None and held.friend == event.customer:
        return held
    if held is not None:
        cases.keep(steps.brought_to(held, rating.order_id, 0, event.time), desk)
    return _attributed(event, rating, desk)


def _attributed(event: Event[OrderFact], rating: Rating, desk: Desk) -> Referral | None:
    """For whom an order not seen before counts: whoever brought its customer; a code in a first order goes first."""
    context, order = rating.context, event.fact.order
    versions = desk.programmes(event.account, event.store)
    if context is None or context.why:
        return None
    programme = versions.numbered(context.version)
    held, terms = cases.standing(desk, event.account, event.customer), programme.referrals
    if terms is None:
        return held
    typed = [Touch(order.placed_at, key_of(code), typed=True) for code in order.coupons]
    known = desk.party(event.account, event.customer).known.touches
    came = _came([*typed, *([] if held is not None else known)], order.placed_at, desk, terms)
    if came is None or not (context.first_order or came.touch.typed):
        return held
    if held is not None:
        if came.referrer == held.referrer or held.body.how == "code" or not context.first_order:
            return held
        cases.decide(held, "rejected", None, desk, reason=cases.REPLACED)
    return cases.opened(came, desk, programme, terms, existing=not context.first_order)


def _introduce(account: str, customer: str, desk: Desk, store: str) -> None:
    """Whoever has bought something has a code to bring friends with."""
    _programme, terms = _terms(account, store, desk)
    if terms is not None and not desk.members[account, customer].erased:
        links.with_code(desk, desk.party(account, customer))


def _sign_up(
    event: Event[ReferralClicked] | Event[ProfileUpdated], desk: Desk, programme: Programme, terms: Referrals
) -> None:
    """Where sign-ups are rewarded, whoever is named and came by a code counts for its member from now on."""
    party = desk.party(event.account, event.customer)
    named = any(kind in {"email", "phone"} for kind, _digest in party.known.prints)
    member = desk.members[event.account, event.customer]
    if terms.reward_on("signup") is None or not named or member.first_order or member.erased:
        return
    if desk.referrals_of(event.account, event.customer):
        return
    came = _came(party.known.touches, event.time, desk, terms)
    made = None if came is None else cases.opened(came, desk, programme, terms, existing=False)
    if made is not None:
        cases.keep(steps.brought_to(made, steps.SIGNUP, 1, event.time), desk)


def _came(touches: list[Touch] | tuple[Touch, ...], at: datetime, desk: Desk, terms: Referrals) -> Came | None:
    """By which of these touches a friend came, of those whose code is still a member's."""
    account = desk.work.account
    known = [touch for touch in touches if (account, touch.code) in desk.referral_codes]
    found = attribution.chosen(known, at, terms)
    return None if found is None else Came(found, desk.referral_codes[account, found.code].customer, at)


def _with_prints(party: Party, found: list[prints.Print]) -> Party:
    return replace(party, known=prints.added(party.known, found))


def _terms(account: str, store: str, desk: Desk) -> tuple[Programme, Referrals | None]:
    programme = desk.programmes(account, store).at(desk.now)
    return programme, programme.referrals
