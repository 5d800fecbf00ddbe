"""Abandoned cart: three mails after the last change, none after a purchase that ends the cart."""

from datetime import datetime, timedelta

from services.notifications.journeys.base import EVERY_RUN, After, Email, End, Journey, Start, always
from services.notifications.records import Content, Purpose
from shared.events import Event, Lane
from shared.events.ingest import ORDER_FACTS, CartEmptied, CartEnded, CartFact, CartUpdated, OrderFact


def _cart(event: Event[CartFact]) -> str:
    return event.fact.cart.id


def _revision(event: Event[CartFact]) -> int:
    return event.fact.cart.revision


def _content(event: Event[CartFact], known: Content) -> Content:
    return Content(cart=event.fact.cart)


def _barred(event: Event[CartFact], since: datetime) -> str:
    cart = event.fact.cart
    if cart.lane is Lane.HISTORY or event.lane is Lane.HISTORY:
        return "history"
    return "before_start" if cart.changed_at < since else ""


def _carts_bought(event: Event[OrderFact]) -> str:
    return event.fact.order.cart or EVERY_RUN


def _rank(content: Content) -> int:
    """Who got as far as the checkout is nearer to buying."""
    return 40 if content.cart is not None and content.cart.stage == "checkout" else 30


ABANDONED_CART = Journey(
    name="abandoned_cart",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(hours=6),
    restarts=True,
    cooldown=timedelta(days=1),
    rank=_rank,
    outdated_by=lambda contact: contact.swept_at,
    starts=Start(
        on=(CartUpdated,),
        when=lambda event: event.fact.cart.value > 0,
        key=_cart,
        revision=_revision,
        clock=lambda event: event.fact.cart.changed_at,
        content=_content,
        barred=_barred,
    ),
    ends=(
        End(
            on=ORDER_FACTS,
            when=always,
            key=_carts_bought,
            at=lambda event: event.fact.order.placed_at,
            reason="purchased",
            buys=True,
        ),
        End(
            on=(CartEnded,),
            when=always,
            key=_cart,
            revision=_revision,
            at=lambda event: event.fact.cart.changed_at,
            reason="purchased",
            buys=True,
        ),
        End(
            on=(CartEmptied, CartUpdated),
            when=always,
            key=_cart,
            revision=_revision,
            at=lambda event: event.fact.cart.changed_at,
            reason="empty_cart",
        ),
    ),
    steps=(
        After(timedelta(hours=2), Email("cart_reminder")),
        After(timedelta(days=1), Email("cart_help")),
        After(timedelta(days=3), Email("cart_offer")),
    ),
)
