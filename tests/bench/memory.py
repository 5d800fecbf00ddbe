"""Resident memory of an embedded installation after 200,000 events beside after 50,000, everything taken in."""

import itertools
import os
from pathlib import Path

import httpx
import msgspec

from tests.bench.figures import Figure, figure
from tests.bench.installation import Installation, installed, purchase

FIRST, LAST, PER_POST, ORDERS = 50_000, 200_000, 500, 25
PEOPLE = 2_000
MOST_SECONDS = 600.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def _views(start: int) -> bytes:
    numbers = range(start, start + PER_POST - ORDERS)
    return msgspec.json.encode(
        {
            "batch": [
                {
                    "type": "track",
                    "event": "Product Viewed",
                    "messageId": f"m{number}",
                    "userId": f"u{number % PEOPLE}",
                    "properties": {"product_id": f"p{number % 97}", "name": "Tea", "price": 12.5, "currency": "EUR"},
                }
                for number in numbers
            ]
        }
    )


async def _resident(house: Installation, client: httpx.AsyncClient, numbers: range) -> float:
    """Mebibytes that the process holds once these events, after all before them, are known to every service."""
    for at in itertools.islice(numbers, 0, None, PER_POST):
        answer = await client.post(house.url("ingest", "/v1/batch"), content=_views(at), auth=(house.key, ""))
        answer.raise_for_status()
        await house.post(client, [purchase(f"o{at + number}") for number in range(ORDERS)])
    orders = numbers.stop // PER_POST * ORDERS
    await house.effected("scoring", "ingest:order.paid", orders, MOST_SECONDS)
    await house.effected("notifications", "loyalty:order.rated", orders, MOST_SECONDS)
    return int(Path(f"/proc/{house.pids[0]}/statm").read_text().split()[1]) * PAGE / 2**20


async def measure() -> list[Figure]:
    """One process with everything on SQLite and the log; people look at products, and one event in twenty is an order.

    The processes have taken in all of it when their memory is read.
    """
    async with installed(None) as house, httpx.AsyncClient(timeout=60) as client:
        early = await _resident(house, client, range(FIRST))
        late = await _resident(house, client, range(FIRST, LAST))
    title = f"resident memory after {LAST:,} events / after {FIRST:,}"
    return [figure(title, "embedded", "MiB", [(late, early)], floor=1.1, lower_is_better=True)]
