"""Taking in: what each claim of a delivery changes, and the facts that tell of it."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from services.ingest.claims import (
    AnyClaim,
    BrowseClaim,
    CartClaim,
    ConsentClaim,
    CustomerClaim,
    EraseClaim,
    ForgetStoreClaim,
    NoticeClaim,
    OrderClaim,
    ProductClaim,
    Trust,
    UninstallClaim,
)
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.dialects import DIALECTS
from services.ingest.erasure import erase_named
from services.ingest.flags import flags_of
from services.ingest.moments import is_long_ago
from services.ingest.profiles import take_consent, take_profile
from services.ingest.referring import code_in
from services.ingest.store_erasure import forget_later, installed_again, uninstall
from services.ingest.tables import Delivery
from services.ingest.taking_carts import take_cart
from services.ingest.taking_orders import take_order
from services.ingest.taking_products import take_product
from shared.errors import Refused
from shared.events import Lane
from shared.events.ingest import ActivityReported, BehaviourRecorded, ProductViewed, ReferralClicked

VERIFIED_ONLY = (OrderClaim, ProductClaim, EraseClaim, UninstallClaim, ForgetStoreClaim)
PRIVACY = (EraseClaim, ForgetStoreClaim, NoticeClaim)
_BEST = ("waiting", "translated", "dropped")


SDK = frozenset({"native", *DIALECTS})


def take_in(delivery: Delivery, desk: IngestDesk) -> Outcome:
    """Judge one delivery; raises Refused for what is to be quarantined."""
    if _redacted(delivery, desk):
        desk.scrubbed.append(delivery.seq)
        return Outcome("suppressed", "erased")
    claims = desk.translated[delivery.seq]
    if isinstance(claims, Refused):
        raise claims
    if not all(isinstance(claim, PRIVACY) for claim in claims) and _uninstalled(delivery, desk):
        return Outcome("dropped", "source_uninstalled")
    if _is_history(claims, delivery):
        desk.begin(replace(delivery, lane=Lane.HISTORY))
    outcomes: list[Outcome] = []
    for claim in claims:
        outcomes.append(_take(claim, delivery, desk))
        if outcomes[-1].state == "suppressed":  # whom it is about was erased: nothing else of it may stay
            desk.scrubbed.append(delivery.seq)
            return outcomes[-1]
    odd = flags_of(delivery.raw, is_event=delivery.kind in SDK)
    state = next((name for name in _BEST if name in {outcome.state for outcome in outcomes}), "dropped")
    customer = next((outcome.customer for outcome in outcomes if outcome.customer), "")
    reasons = [outcome.reason for outcome in outcomes if outcome.reason and outcome.state == state]
    return Outcome(state, ",".join(dict.fromkeys([*reasons, *_flags(claims), *odd])), customer)


def _is_history(claims: Sequence[AnyClaim], delivery: Delivery) -> bool:
    """Whether all that a delivery tells of is so old that it can only be history."""
    return bool(claims) and all(is_long_ago(claim.at, delivery.recorded) for claim in claims)


def _uninstalled(delivery: Delivery, desk: IngestDesk) -> bool:
    """Whether a delivery came in after the app it comes from was taken away, and before that was installed again."""
    source = desk.source()
    if source is None or source.uninstalled_at is None or delivery.recorded <= source.uninstalled_at:
        return False
    if not installed_again(source, delivery):
        return True
    desk.sources[source.account, source.id] = replace(source, uninstalled_at=None)
    return False


def _redacted(delivery: Delivery, desk: IngestDesk) -> bool:
    """Whether a delivery is from before its whole shop was forgotten."""
    source = desk.source()
    return source is not None and source.redacted_at is not None and delivery.recorded < source.redacted_at


def _flags(claims: Sequence[AnyClaim]) -> list[str]:
    return [flag for claim in claims for flag in claim.flags]


def _take(claim: AnyClaim, delivery: Delivery, desk: IngestDesk) -> Outcome:
    trust = Trust(delivery.trust)
    if trust is not Trust.VERIFIED and isinstance(claim, VERIFIED_ONLY):
        raise Refused("forbidden_for_browser_key", "a browser key may only send behaviour")
    if isinstance(claim, NoticeClaim):
        return Outcome("dropped", claim.reason)
    if not isinstance(claim, OrderClaim) and claim.keys and desk.suppressed(claim.keys, claim.at):
        return Outcome("suppressed", "erased")
    return _HANDLERS[type(claim)](claim, desk, desk.placed[delivery.seq], trust)


def _browse(claim: BrowseClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Tell of behaviour under whoever showed it, and of activity that the store itself vouches for."""
    customer = desk.recognise(claim.keys, trust, claim.at)
    if desk.again:
        return Outcome("translated", customer=customer)
    if claim.product:
        fact = ProductViewed(product=claim.product, title=claim.title, categories=claim.categories, url=claim.url)
        desk.emit(fact, customer=customer, store=store, time=claim.at)
    else:
        behaviour = BehaviourRecorded(name=claim.name, properties=claim.properties)
        desk.emit(behaviour, customer=customer, store=store, time=claim.at)
    if claim.activity and trust is Trust.VERIFIED:
        activity = ActivityReported(name=claim.activity, reference=claim.reference, properties=claim.properties)
        desk.emit(activity, customer=customer, store=store, time=claim.at)
    _came_by(claim, desk, store, customer)
    return Outcome("translated", customer=customer)


def _came_by(claim: BrowseClaim, desk: IngestDesk, store: str, customer: str) -> None:
    """Tell by whose referral code somebody came, with a keyed hash of the device."""
    code, typed = code_in(claim)
    if not code:
        return
    visitor = next((key for key in claim.keys if key.kind == "anonymous"), None)
    device = "" if visitor is None else desk.digest(visitor).hex()
    fact = ReferralClicked(code=code, typed=typed, device=device)
    desk.emit(fact, customer=customer, store=store, time=claim.at)


_HANDLERS: dict[type[AnyClaim], Callable[..., Outcome]] = {
    OrderClaim: take_order,
    CartClaim: take_cart,
    ProductClaim: take_product,
    BrowseClaim: _browse,
    CustomerClaim: take_profile,
    ConsentClaim: take_consent,
    EraseClaim: erase_named,
    UninstallClaim: uninstall,
    ForgetStoreClaim: forget_later,
}
