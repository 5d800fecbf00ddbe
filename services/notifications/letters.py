"""A claimed message as a letter: the values of its template in the recipient's language, links, and headers."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from services.notifications.audience import canonical_address, format_locale, language_of, safe_link, zone_of
from services.notifications.channels.base import Letter
from services.notifications.channels.mime import Mail, to_bytes
from services.notifications.contacts import clean
from services.notifications.records import Contact, Content, Message, Purpose
from services.notifications.render import render
from services.notifications.tokens import ONE_CLICK, PREFERENCES, Link, Tokens
from shared.events.config import StoreConfigured
from shared.events.ingest import CartLine

MOST_LINES = 20


class Handed(msgspec.Struct, frozen=True):
    """All that a letter is written from."""

    message: Message
    contact: Contact
    content: Content
    shop: StoreConfigured


class Bureau(msgspec.Struct, frozen=True):
    """Where letters are written: who sends, under which address recipients reach us, and the signer of links."""

    mail_from: str
    public_url: str
    tokens: Tokens


def write(bureau: Bureau, handed: Handed) -> Letter:
    """The letter of a message; raises RenderError or ValueError where it cannot be written as it must."""
    message, contact, shop = handed.message, handed.contact, handed.shop
    link = Link(contact.account, contact.customer, message.channel, message.purpose.value)
    one_click = f"{bureau.public_url}/u/{bureau.tokens.sign(ONE_CLICK, link)}"
    preferences = f"{bureau.public_url}/p/{bureau.tokens.sign(PREFERENCES, link)}"
    language = language_of(contact.locale, shop.locale)
    values = {**_values(handed), "unsubscribe_url": one_click, "preferences_url": preferences}
    rendered = render(message.step, language, values)
    domain = bureau.mail_from.rpartition("@")[2]
    recipient = canonical_address(contact.email)
    mail = Mail(
        id=message.id,
        domain=domain,
        sender=(clean(shop.name), bureau.mail_from),
        recipient=recipient,
        reply_to=canonical_address(shop.email),
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        language=language,
        list_id=f"<{message.purpose.value}.{shop.id.replace('_', '-')}.{domain}>",
        one_click=one_click if message.purpose is Purpose.MARKETING else "",
        at=message.claimed_at,
    )
    return Letter(message.id, bureau.mail_from, recipient, to_bytes(mail))


def _values(handed: Handed) -> dict[str, Any]:
    contact, content, shop = handed.contact, handed.content, handed.shop
    locale = format_locale(contact.locale, shop.locale)
    cart = content.cart
    money = _money(cart.currency, cart.exponent, locale) if cart else _money(content.currency, content.exponent, locale)
    zone = zone_of(contact.zone, contact.phone, contact.country, shop.zone)
    home = safe_link(shop.url)
    return {
        "shop": {"name": clean(shop.name), "address": clean(shop.postal_address, 300)},
        "first_name": contact.first_name,
        "lines": [_line(line, money) for line in cart.lines[:MOST_LINES]] if cart else [],
        "total": money(cart.value if cart else content.total),
        "link": (safe_link(cart.restore_url if cart else content.link)) or home,
        "number": clean(content.number, 60),
        "date": _date(content.placed_at, zone, locale),
        "points": _points(content.points, locale),
        "expires": _date(content.expires_at, zone, locale),
        "tier": clean(content.tier, 60),
        "friend": clean(content.friend, 40),
        "balance": _points(content.balance, locale),
    }


def _line(line: CartLine, money: Callable[[int], str]) -> dict[str, Any]:
    return {
        "title": clean(line.title or line.sku or line.product),
        "quantity": line.quantity,
        "price": money(line.price * line.quantity),
        "url": safe_link(line.url),
        "image": safe_link(line.image),
    }


def _money(currency: str, exponent: int, locale: str) -> Callable[[int], str]:
    """Writes integer minor units as people read them."""

    def written(amount: int) -> str:
        if not currency:
            return ""
        return format_currency(Decimal(amount).scaleb(-exponent), currency, locale=locale, currency_digits=False)

    return written


def _points(points: int | None, locale: str) -> str:
    return format_decimal(points, locale=locale) if points and points > 0 else ""


def _date(moment: datetime | None, zone: str, locale: str) -> str:
    if moment is None:
        return ""
    return format_date(moment.astimezone(ZoneInfo(zone)).date(), "long", locale=locale)
