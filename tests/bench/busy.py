"""How long accept takes while intake and all consumers of the same process run at full speed, beside when they rest."""

import httpx

from tests.bench.figures import Figure, figure
from tests.bench.installation import Installation, installed, purchase
from tests.bench.load import Load, run

ROUNDS = 3
BACKLOG = 1_500
PER_POST = 500
REQUESTS = 150


async def _p99(house: Installation, number: int) -> float:
    load: Load = await run(house.ports["ingest"], house.key, connections=1, requests=REQUESTS, batch=1, run_id=number)
    return load.percentile(0.99)


async def measure() -> list[Figure]:
    """One process with everything on SQLite and the log; single events, one after the other."""
    pairs = []
    async with installed(None) as house, httpx.AsyncClient(timeout=60) as client:
        for number in range(ROUNDS):
            idle = await _p99(house, 2 * number)
            for at in range(0, BACKLOG, PER_POST):
                await house.post(client, [purchase(f"b{number}_{at + n}") for n in range(PER_POST)])
            busy = await _p99(house, 2 * number + 1)
            pairs.append((busy, idle))
            done = (number + 1) * BACKLOG
            await house.effected("scoring", "ingest:order.paid", done)
            await house.effected("notifications", "loyalty:order.rated", done)
    title = "accept: p99 of a single event while all consumers of the process run at full speed / while they rest"
    return [figure(title, "embedded", "ms", pairs, lower_is_better=True)]
