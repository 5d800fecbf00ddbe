"""All that an order's newest revision means to loyalty: points, points that come back, codes that were used."""

from services.loyalty.desk import Desk
from services.loyalty.handlers import rate_order
from services.loyalty.referrals.handlers import follow_order
from services.loyalty.repaying import repay
from services.loyalty.rewards import use_coupons
from shared.events import Event
from shared.events.ingest import OrderFact


def take_order(event: Event[OrderFact], desk: Desk) -> None:
    """Rate the order, bring its referral along, return points that its refunds entitle to, mark vouchers as used."""
    rate_order(event, desk)
    follow_order(event, desk)
    repay(event, desk)
    if event.fact.order.coupons:
        use_coupons(event, desk)
