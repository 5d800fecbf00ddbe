"""The whole road: from an order posted to its points visible, and the CPU an order takes in all processes together."""

import asyncio
import time

import httpx

from tests.bench.accept import commit_cost
from tests.bench.cpu import family_seconds, process_seconds
from tests.bench.figures import Figure, figure, reported
from tests.bench.installation import Installation, installed, purchase
from tests.real.postgres import Postgres

ORDERS = 80
APART_SECONDS = 0.1
POLL_SECONDS = 0.01
MOST_SECONDS = 20.0
ROUNDS = 3
MANY = 1_000
PER_POST = 250


class _Shop:
    def __init__(self, client: httpx.AsyncClient, house: Installation) -> None:
        self._client = client
        self._house = house
        self._headers = {"authorization": f"Bearer {house.key}"}

    async def member(self, name: str) -> str:
        """Our id of the store's customer."""
        url = self._house.url("ingest", "/v1/customer-tokens")
        asked = {"customer": f"ext:{self._house.store}:{name}"}
        answer = await self._client.post(url, json=asked, headers=self._headers)
        answer.raise_for_status()
        return str(answer.json()["customer"])

    async def posted_to_visible(self, name: str, customer: str) -> float:
        """Milliseconds from posting an order until the member's points show."""
        begun = time.perf_counter()
        await self._house.post(self._client, [purchase(name)])
        url = self._house.url("loyalty", f"/v1/members/{customer}")
        while (await self._client.get(url, headers=self._headers)).json().get("earned", 0) == 0:
            if time.perf_counter() - begun > MOST_SECONDS:
                raise TimeoutError(f"no points for {name}")
            await asyncio.sleep(POLL_SECONDS)
        return (time.perf_counter() - begun) * 1000


async def _times(shop: _Shop) -> list[float]:
    members = [await shop.member(f"m{number}") for number in range(ORDERS)]
    await shop.posted_to_visible("m0", members[0])
    waits = []
    for number, member in enumerate(members[1:], 1):
        waits.append(asyncio.create_task(shop.posted_to_visible(f"m{number}", member)))
        await asyncio.sleep(APART_SECONDS)
    return sorted(await asyncio.gather(*waits))


class _Used:
    """CPU seconds of our processes with PostgreSQL, and of the broker."""

    def __init__(self, house: Installation, server: int, broker: int) -> None:
        self.ours = sum(map(process_seconds, house.pids)) + family_seconds(server)
        self.broker = process_seconds(broker)


async def _costs(house: Installation, client: httpx.AsyncClient, server: int, broker: int) -> tuple[float, float]:
    """CPU microseconds an order: ours with PostgreSQL, and the broker's; until every consumer is through."""
    before = _Used(house, server, broker)
    for number in range(ROUNDS):
        for at in range(0, MANY, PER_POST):
            await house.post(client, [purchase(f"r{number}_{at + n}") for n in range(PER_POST)])
        done = ORDERS + (number + 1) * MANY
        await house.effected("scoring", "ingest:order.paid", done)
        await house.effected("notifications", "loyalty:order.rated", done)
    after, orders = _Used(house, server, broker), ROUNDS * MANY / 1e6
    return (after.ours - before.ours) / orders, (after.broker - before.broker) / orders


async def measure(server: Postgres, server_pid: int, kafka: str, broker_pid: int) -> list[Figure]:
    """p50 and p99 in both modes, ten orders a second; then three thousand orders as fast as they go."""
    figures = []
    for mode, servers in (("embedded", None), ("Kafka + PostgreSQL", (server, kafka))):
        async with installed(servers) as house, httpx.AsyncClient(timeout=30) as client:
            times = await _times(_Shop(client, house))
            for name, share in (("p50", 0.50), ("p99", 0.99)):
                title = f"whole road, order posted to points visible, {name}"
                figures.append(reported(title, mode, "ms", times[int(share * len(times))]))
            if servers is not None:
                ours, broker = await _costs(house, client, server_pid, broker_pid)
                commits = [commit_cost(server, server_pid) for _ in range(ROUNDS)]
                figures += _cost_figures(mode, ours, broker, commits)
    return figures


def _cost_figures(mode: str, ours: float, broker: float, commits: list[float]) -> list[Figure]:
    title = "whole road: CPU per order of all services and PostgreSQL"
    commit = "one pgbench one-row commit"
    pairs = [(ours, each) for each in commits]
    with_broker = [(ours + broker, each) for each in commits]
    return [
        figure(f"{title} / {commit}", mode, "µs", pairs, lower_is_better=True),
        figure(f"{title} and the broker / {commit}", mode, "µs", with_broker, floor=15, lower_is_better=True),
    ]
