"""What recipients can do without a login: one click out (RFC 8058), and choose on a page that works in a browser."""

import asyncio
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.async_api import async_playwright

from services.notifications.tokens import ONE_CLICK as ONE_CLICK_USE
from services.notifications.tokens import Link, Tokens
from shared.events.notifications import Unsubscribed
from shared.observe import METRICS
from tests.notifications.office import Office, html_of, one_click_of
from tests.notifications.some import after, consent, filled, paid

CHROMIUM = Path("/usr/bin/chromium")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def reminded(office: Office) -> str:
    """The one-click path of a first cart mail."""
    await office.tell(filled())
    await office.passes(hours=3)
    mail = office.mails[0]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return one_click_of(mail)


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_one_click_ends_marketing_and_what_is_on_its_way(office: Office, form: str) -> None:
    path = await reminded(office)
    for _ in range(3):
        sent = {"files": {"List-Unsubscribe": (None, "One-Click")}} if form == "multipart" else {"data": ONE_CLICK}
        answer = await office.world.http.post(path, **sent)
        assert answer.status_code == 200
        assert not answer.history
    await office.passes(days=4)
    assert len(office.mails) == 1
    assert await office.reasons() == ["no_consent"] * 2
    told = await office.world.facts("notifications", Unsubscribed)
    assert told == [Unsubscribed(channel="email", purpose="marketing")]
    contact = await office.get("/v1/contacts/cus_ana")
    assert [word["granted"] for word in contact["consents"]] == [False]
    await office.is_balanced()


async def test_looking_at_the_link_changes_nothing(village_office: Office) -> None:
    path = await reminded(village_office)
    for method in ("GET", "HEAD"):
        answer = await village_office.world.http.request(method, path)
        assert answer.status_code == 200
    assert [word["granted"] for word in (await village_office.get("/v1/contacts/cus_ana"))["consents"]] == [True]


async def test_a_token_that_is_altered_or_of_another_use_is_a_plain_404(village_office: Office) -> None:
    path = await reminded(village_office)
    for wrong in (path[:-2], path.replace("/u/", "/p/"), "/u/x", "/p/" + "a" * 900):
        for method in ("GET", "POST"):
            answer = await village_office.world.http.request(method, wrong)
            assert answer.status_code == 404
    assert (await village_office.get("/v1/suppressions"))["data"] == []


def of_account(path: str, account: str) -> str:
    """The same token for another account, under the old signature."""
    token, dot, signature = path.removeprefix("/u/").rpartition(".")
    packed = token.startswith(".")
    plain = urlsafe_b64decode(token.lstrip(".") + "==")
    said = json.loads(zlib.decompress(plain) if packed else plain)
    other = json.dumps([account, *said[1:]], separators=(",", ":")).encode()
    return f"/u/{urlsafe_b64encode(other).decode().rstrip('=')}{dot}{signature}"


async def test_a_token_for_another_account_or_of_another_house_is_a_404_that_is_counted(
    village_office: Office,
) -> None:
    path = await reminded(village_office)
    assert (await village_office.world.get(of_account(path, "acc_1"))).status_code == 200
    foreign = Tokens(b"another house").sign(ONE_CLICK_USE, Link("acc_1", "cus_ana", "email", "marketing"))
    before = METRICS.bad_tokens.labels(ONE_CLICK_USE)._value.get()
    for wrong in (of_account(path, "acc_2"), f"/u/{foreign}"):
        answer = await village_office.world.http.post(wrong, data=ONE_CLICK)
        assert answer.status_code == 404
        assert "acc_" not in answer.text
    assert METRICS.bad_tokens.labels(ONE_CLICK_USE)._value.get() == before + 2
    assert (await village_office.get("/v1/suppressions"))["data"] == []


async def test_one_click_stops_what_is_claimed_already(village_office: Office) -> None:
    path = await reminded(village_office)
    world = village_office.world
    running = world.of("notifications")
    world.clock.move_to(after(days=1, minutes=1))
    await world.beat()
    while (await village_office.ledger()).get("cart_help") != "claimed":
        await running.inbox.step(0.05)
        await running.timers.step()
    assert (await world.http.post(path, data=ONE_CLICK)).status_code == 200
    await world.settle()
    assert (await village_office.ledger())["cart_help"] == "withdrawn"
    assert await village_office.reasons() == ["no_consent"]
    assert len(village_office.mails) == 1


async def test_looking_at_the_preference_page_changes_nothing(village_office: Office) -> None:
    await reminded(village_office)
    before = await village_office.get("/v1/contacts/cus_ana/consents")
    for method in ("GET", "HEAD"):
        answer = await village_office.world.http.request(method, preference_path(village_office))
        assert answer.status_code == 200
    assert await village_office.get("/v1/contacts/cus_ana/consents") == before


async def test_thanks_still_come_after_unsubscribing_and_an_opt_in_brings_marketing_back(
    village_office: Office,
) -> None:
    path = await reminded(village_office)
    await village_office.world.http.post(path, data=ONE_CLICK)
    at = village_office.world.now
    await village_office.tell(paid(at=at))
    await village_office.passes(minutes=11)
    thanks = village_office.mails[1]
    assert thanks["Subject"] == "Gracias por tu pedido #1001"
    assert thanks["List-Unsubscribe"] is None
    await village_office.passes(days=1)
    again = village_office.world.now
    await village_office.tell(consent(at=again), filled("cart_2", at=again))
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 3
    assert (await village_office.get("/v1/suppressions"))["data"] == []


def preference_path(office: Office) -> str:
    """The path of the preference page in the newest mail."""
    html = html_of(office.mails[-1])
    start = html.index("/p/", html.index("http://127.0.0.1:8000/p/"))
    return urlsplit(html[start : html.index('"', start)]).path


async def test_preferences_are_kept_and_shown(village_office: Office) -> None:
    await reminded(village_office)
    path = preference_path(village_office)
    shown = await village_office.world.get(path)
    assert "checked" in shown.text
    assert "Qué correos recibes" in shown.text
    assert "checked" not in (await village_office.world.http.post(path, data={})).text
    assert "checked" in (await village_office.world.http.post(path, data={"marketing": "yes"})).text
    assert "checked" not in (await village_office.world.http.post(path, data={"x": "y" * 50_000})).text


@pytest.fixture
async def address(village_office: Office) -> AsyncIterator[str]:
    """The office's pages on a real port."""
    config = uvicorn.Config(village_office.world.runtime.app, port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.mark.chromium
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium here")
async def test_a_browser_without_a_network_can_choose_and_unsubscribe(village_office: Office, address: str) -> None:
    unsubscribe = await reminded(village_office)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(address + preference_path(village_office))
        await page.uncheck("input[name=marketing]")
        await page.click("button")
        await page.wait_for_selector("[role=status]")
        assert not await page.is_checked("input[name=marketing]")
        await page.check("input[name=marketing]")
        await page.click("button")
        await page.wait_for_selector("[role=status]")
        await page.goto(address + unsubscribe)
        await page.click("button")
        await page.wait_for_selector("[role=status]")
        await browser.close()
    assert all(url.startswith(address) for url in asked)
    assert [word["granted"] for word in (await village_office.get("/v1/contacts/cus_ana"))["consents"]] == [False]
