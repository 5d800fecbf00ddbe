"""The demo from curtain to curtain: replay, summary, books, and a server that stays up."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from demo.club import Club
from demo.history import purchases, share, shifted
from demo.hosting import fresh_settings, installed
from demo.inputs import Input
from demo.installation import Installation
from demo.replay import floor, replay
from demo.report import Api, report
from demo.sender import Shop
from demo.story import Story
from demo.summary import show
from services.ingest.setup import NewStore
from shared.books import Verdict
from shared.clock import machine_now
from shared.observe import configure_logs
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings

SEED = 1997
CUSTOMERS = 200
FOLDER = Path("data-demo")
PURCHASE = (
    '{"specversion": "1.0", "source": "my-shop", "id": "order-1", "type": "purchase", "data": {"order_id": "1", '
    '"customer": {"id": "7", "email": "ana@example.com", "first_name": "Ana", "locale": "es"}, '
    '"lines": [{"product": "tea", "title": "Green tea", "quantity": 2, "price": 1250}]}}'
)
ABOUT = """[bold]Querencia: 18 months of a real shop, replayed[/]
Real: {purchases:,} purchases of {customers:,} of the 23,570 customers of CDNOW, an online music shop (1997-98): who
bought on which day, how many CDs, for how much; moved by whole weeks so that they end now. Everything else is made up
by a generator with a fixed seed: names, hours, titles, visits, carts, refunds, sign-ups, complaints.
All of it goes in as a shop would send it: signed Shopify webhooks over HTTP, and calls of the Segment SDK.
"""


async def play(services: Sequence[Service], *, customers: int = 0, serve: bool = True, folder: Path = FOLDER) -> int:
    """Replay, sum up, prove the books; gives the exit code of `verify`: 0 balanced, 1 not, 2 not quiet."""
    logging.getLogger().setLevel(logging.ERROR)
    configure_logs("ERROR")
    console = Console(width=None if Console().is_terminal else 132, highlight=False)
    inputs = _script(console, customers or CUSTOMERS)
    settings = fresh_settings(folder)
    async with installed(services, settings, floor(inputs[0].at)) as installation:
        store = await installation.open_shop()
        await _replayed(console, installation, store, inputs)
        await _summed_up(console, installation, store)
        verdict = await installation.runtime.verify()
    print(msgspec.json.encode(verdict).decode(), flush=True)
    if serve:
        await _stay_up(console, services, settings, store)
    return _code(verdict)


def _script(console: Console, customers: int) -> list[Input]:
    yesterday = machine_now().date() - timedelta(days=1)
    bought = share(shifted(purchases(), yesterday), customers, SEED)
    people = len({purchase.customer for purchase in bought})
    console.print(ABOUT.format(purchases=len(bought), customers=people))
    return Story(bought, SEED, datetime.now(UTC)).inputs()


async def _replayed(console: Console, installation: Installation, store: NewStore, inputs: Sequence[Input]) -> None:
    start = installation.clock.now()
    shop, club = Shop(installation.url, store), Club(installation.url, store, SEED)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=(machine_now() - start).total_seconds())

        def passed(done: int, at: datetime) -> None:
            words = f"{at:%d %b %Y}  {done:,} of {len(inputs):,} inputs"
            progress.update(bar, completed=(at - start).total_seconds(), description=words)

        try:
            await club.open()
            await replay(installation, shop, club, inputs, passed)
        finally:
            await shop.close()
            await club.close()


async def _summed_up(console: Console, installation: Installation, store: NewStore) -> None:
    api = Api(installation.url, store.server_key)
    try:
        show(console, await report(api), installation.settings.data_dir / "maildir")
    finally:
        await api.close()


def _code(verdict: Verdict) -> int:
    if verdict.balanced:
        return 0
    return 1 if verdict.quiet else 2


async def _stay_up(console: Console, services: Sequence[Service], settings: Settings, store: NewStore) -> None:
    """Serve what the replay has left behind, on the real clock, until Ctrl-C."""
    url = f"http://{settings.http_host}:{settings.http_port}"
    console.print(
        f"\n[bold]The server stays up[/] (Ctrl-C ends it): {url}/docs, mails in {settings.data_dir}/maildir/new"
    )
    for line in _links(url, store):
        console.print(f"  {line}", soft_wrap=True, markup=False)
    await Runtime(services, settings).run()


def _links(url: str, store: NewStore) -> list[str]:
    """What to try, ready to be copied."""
    key = f"-H 'Authorization: Bearer {store.server_key}'"
    reads = (
        "segments",
        "segments/at_risk/members?limit=5",
        "kpis?months=3",
        "messages?limit=5",
        "programs",
        "rewards",
        "reports/liability",
    )
    return [
        *(f"curl {key} '{url}/v1/{path}'" for path in reads),
        f"curl {key} {url}/v1/events -d '{PURCHASE}'",
        f"curl {key} {url}/v1/customers/ext:{store.store}:7",
        f"curl {url}/books",
        f"curl {url}/health/pipeline",
        f"store {store.store}, browser key {store.browser_key}",
        f"Shopify webhooks {url}/webhooks/shopify/{store.shopify_source}, secret {store.shopify_secret}",
    ]
