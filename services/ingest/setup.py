"""Set-up: the first store: what `run` makes in an empty folder, and the command that makes one at will."""

from secrets import token_hex

import msgspec
from sqlalchemy import func, select

from services.ingest import access, tables
from services.ingest.records import SourceRow
from shared.clock import Clock
from shared.db import Database, Tx, connect, new_id
from shared.events.config import AccountConfigured, StoreConfigured
from shared.settings import Settings
from shared.vault import Vault, vault_of


class NewStore(msgspec.Struct, frozen=True, kw_only=True):
    """What the maker of a store is told once."""

    account: str
    store: str
    server_key: str
    browser_key: str
    shopify_source: str
    shopify_secret: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a store should be like."""

    account_name: str = "My company"
    name: str = "My shop"
    currency: str = "EUR"
    zone: str = "Europe/Madrid"
    locale: str = "en"
    url: str = "https://shop.example"
    email: str = "shop@shop.example"
    postal_address: str = "1 High Street, Springfield"


async def make_store(tx: Tx, vault: Vault, wanted: Wanted) -> NewStore:
    """Make an account with one store, a server and a browser key, and a source for Shopify's webhooks."""
    account = await access.make_account(tx, vault, wanted.account_name)
    store = access.checked_store(
        StoreConfigured(
            id=new_id("sto"),
            revision=1,
            name=wanted.name,
            currency=wanted.currency,
            zone=wanted.zone,
            locale=wanted.locale,
            url=wanted.url,
            email=wanted.email,
            postal_address=wanted.postal_address,
        )
    )
    await access.configure(tx, account, store)
    secret = token_hex(32)
    source = SourceRow(account, new_id("src"), store.id, "shopify", "Shopify", True, tx.now)
    return NewStore(
        account=account,
        store=store.id,
        server_key=(await access.make_key(tx, account, "server", store.id))[1],
        browser_key=(await access.make_key(tx, account, "browser", store.id))[1],
        shopify_source=await access.make_source(tx, vault, source, secret),
        shopify_secret=secret,
    )


async def create_account(settings: Settings, wanted: Wanted) -> NewStore:
    """Make an account with a first store from the command line; a running installation picks it up."""
    database = connect(settings.database_of("ingest"), Clock())
    await database.open()
    try:
        async with database.write() as tx:
            return await make_store(tx, vault_of(settings), wanted)
    finally:
        await database.close()


async def is_empty(database: Database) -> bool:
    """Whether no account was ever made."""
    config = tables.kernel.config
    async with database.read() as reader:
        row = await reader.fetch_one(
            select(func.count()).select_from(config).where(config.c.type == AccountConfigured.type)
        )
    return row is None or row[0] == 0


async def first_store(settings: Settings) -> list[str]:
    """Make a first store if there is no account yet; gives the lines to print once."""
    database = connect(settings.database_of("ingest"), Clock())
    await database.open()
    try:
        if not await is_empty(database):
            return []
    finally:
        await database.close()
    operator = vault_of(settings).operator_key()
    return [*lines(await create_account(settings, Wanted())), f"  operator key    {operator}"]


def lines(made: NewStore) -> list[str]:
    """What a newcomer needs to know of a store that was just made."""
    return [
        "A store was made. Its keys are shown this once:",
        f"  account         {made.account}",
        f"  store           {made.store}",
        f"  server key      {made.server_key}",
        f"  browser key     {made.browser_key}",
        f"  Shopify webhook /webhooks/shopify/{made.shopify_source}",
        f"  Shopify secret  {made.shopify_secret}",
    ]
