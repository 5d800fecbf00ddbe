"""The pages that recipients reach by the links in their mails: no login, no script, nothing from elsewhere."""

from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import uuid4

import structlog
from fastapi import Path, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications import tables
from services.notifications.audience import language_of
from services.notifications.contacts import clean, consent_of
from services.notifications.desk import HOUSE
from services.notifications.preferences import resubscribe, unsubscribe
from services.notifications.records import Contact, Purpose
from services.notifications.render import page
from services.notifications.tokens import ONE_CLICK, PREFERENCES, Link, Tokens
from services.notifications.views import contact_of, survivor
from shared.config import decode_config
from shared.errors import not_found
from shared.events.config import StoreConfigured
from shared.observe import METRICS
from shared.openapi import Router
from shared.tables import ConfigRow
from shared.web import reading, running_of
from shared.workset import Command

log = structlog.get_logger()
router = Router(tags=["recipients"])
NATURAL: dict[str, Any] = {"x-idempotency": "natural"}
MOST_BYTES = 10_000
Token = Annotated[str, Path(max_length=1000)]
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
}


@router.head("/u/{token}", include_in_schema=False)
@router.get("/u/{token}", response_class=HTMLResponse)
async def show_unsubscribe(request: Request, token: Token) -> Response:
    """Ask whether to unsubscribe; changes nothing, since mail scanners follow links."""
    link = await _link(request, ONE_CLICK, token)
    return await _shown(request, link, "unsubscribe_page", done=False)


@router.post("/u/{token}", response_class=HTMLResponse, openapi_extra=NATURAL)
async def one_click(request: Request, token: Token) -> Response:
    """Unsubscribe at once (RFC 8058); whatever form the body has, the token says all."""
    link = await _link(request, ONE_CLICK, token)
    await _judged(request, link, lambda _command, desk: unsubscribe(desk, link, "one-click"))
    return await _shown(request, link, "unsubscribe_page", done=True)


@router.head("/p/{token}", include_in_schema=False)
@router.get("/p/{token}", response_class=HTMLResponse)
async def show_preferences(request: Request, token: Token) -> Response:
    """Show what somebody hears from us."""
    link = await _link(request, PREFERENCES, token)
    return await _shown(request, link, "preferences_page", done=False)


@router.post("/p/{token}", response_class=HTMLResponse, openapi_extra=NATURAL)
async def save_preferences(request: Request, token: Token) -> Response:
    """Keep what somebody chose to hear from us."""
    link = await _link(request, PREFERENCES, token)
    wanted = "yes" in parse_qs(await _body(request)).get("marketing", [])
    about = Link(link.account, link.customer, link.channel, Purpose.MARKETING.value)
    choose = resubscribe if wanted else unsubscribe
    await _judged(request, link, lambda _command, desk: choose(desk, about, "preference-page"))
    return await _shown(request, link, "preferences_page", done=True)


async def _link(request: Request, use: str, token: str) -> Link:
    """Whom a token speaks for; raises Refused 404 for one that is not ours, without saying why."""
    async with reading(request) as reader:
        row = await reader.fetch_one(HOUSE)
        link = Tokens(row[0]).read(use, token) if row else None
        if link is None:
            METRICS.bad_tokens.labels(use).inc()
            log.warning("bad_token", use=use)
            raise not_found("page", "this address")
        customer = await survivor(reader, link.account, link.customer)
    return Link(link.account, customer, link.channel, link.purpose)


async def _body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return body[:MOST_BYTES].decode("utf-8", "replace")


async def _judged(request: Request, link: Link, act: Any) -> None:
    running = running_of(request)
    async with running.db.write() as tx:
        command = Command(account=link.account, customer=link.customer, store="", id=uuid4(), time=tx.now)
        await running.command(tx, command, act)
    running.relay.news.set()


async def _shown(request: Request, link: Link, name: str, *, done: bool) -> Response:
    async with reading(request) as reader:
        contact = await contact_of(reader, link.account, link.customer)
        contact = contact or Contact(account=link.account, customer=link.customer)
        rows = await reader.fetch_by_keys(tables.kernel.config, [(link.account, contact.store)], ConfigRow)
    fact = decode_config(rows[0]) if rows else None
    shop = fact if isinstance(fact, StoreConfigured) else None
    values = {
        "shop": clean(shop.name) if shop else "",
        "marketing": bool(consent_of(contact, link.channel, Purpose.MARKETING.value)),
        "done": done,
    }
    html = page(name, language_of(contact.locale, shop.locale if shop else ""), values)
    return HTMLResponse(html, 200, HEADERS)
