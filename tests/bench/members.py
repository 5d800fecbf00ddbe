"""The member API: redemptions a second beside the least transaction, wallets of many lots, a member's page."""

from functools import partial

import msgspec

from tests.bench.accept import Commits, commits, served
from tests.bench.calls import called, request
from tests.bench.figures import Figure, figure
from tests.bench.load import Load
from tests.bench.serve_members import MANY, MEMBERS, Ways, customer
from tests.real.postgres import Postgres

ROUNDS = 3
CALLS = 1_000
WARM = 100
ALONE = 100
CONNECTIONS = 64
Child = tuple[int, str, int]


class _House:
    """Both servers side by side; every call has a number of its own."""

    def __init__(self, product: Child, bare: Child) -> None:
        self._port, self._bare = product[0], bare[0]
        self._ways = msgspec.json.decode(product[1], type=Ways)
        self._next = 0

    async def _called(self, port: int, make: partial[bytes], connections: int, number: int, status: int) -> Load:
        numbers = range(self._next, self._next + number)
        self._next += number
        return await called(port, make, connections=connections, numbers=numbers, status=status)

    async def redeemed(self, number: int, *, programmes: int, connections: int = CONNECTIONS, who: int = -1) -> Load:
        """One point each, out of the members' wallets in turn or out of one member's, in so many programmes."""
        make = partial(_redemption, self._ways.keys[:programmes], who)
        return await self._called(self._port, make, connections, number, 201)

    async def locked(self, number: int) -> Load:
        """The least: one transaction with a row lock for each call."""
        return await self._called(self._bare, partial(_least), CONNECTIONS, number, 200)

    async def page(self, number: int) -> Load:
        """The member's page, one after the other."""
        return await self._called(self._port, partial(_page, self._ways.token), 1, number, 200)

    async def row(self, number: int) -> Load:
        """A read of one row by primary key, one after the other."""
        return await self._called(self._bare, partial(_row), 1, number, 200)


def _redemption(keys: list[str], who: int, number: int) -> bytes:
    owner = customer(number // len(keys) % MEMBERS if who < 0 else who)
    body = msgspec.json.encode({"customer": owner, "points": 1})
    return request("POST", "/v1/redemptions", keys[number % len(keys)], number, body)


def _least(number: int) -> bytes:
    return request("POST", f"/cus_{number % MEMBERS}", "", number, b"{}")


def _page(token: str, number: int) -> bytes:
    return request("GET", "/v1/members/me/page", token, number)


def _row(number: int) -> bytes:
    return request("GET", "/", "", number)


class _Rounds:
    """What the rounds showed, as pairs of (value, limit)."""

    def __init__(self) -> None:
        self.spread: list[tuple[float, float]] = []
        self.one: list[tuple[float, float]] = []
        self.spread_commits: list[tuple[float, float]] = []
        self.one_commits: list[tuple[float, float]] = []
        self.wallets: list[tuple[float, float]] = []
        self.pages: list[tuple[float, float]] = []

    async def run(self, house: _House, commit: Commits) -> None:
        """One thing after the other."""
        spread = (await house.redeemed(CALLS, programmes=16)).per_second
        least = (await house.locked(CALLS)).per_second
        one = (await house.redeemed(CALLS, programmes=1)).per_second
        self.spread.append((spread, least))
        self.one.append((one, least))
        self.spread_commits.append((spread, commit.per_second))
        self.one_commits.append((one, commit.per_second))
        few = await house.redeemed(ALONE, programmes=1, connections=1, who=1)
        many = await house.redeemed(ALONE, programmes=1, connections=1, who=MEMBERS)
        self.wallets.append((many.percentile(0.5), few.percentile(0.5)))
        self.pages.append(((await house.page(ALONE)).percentile(0.5), (await house.row(ALONE)).percentile(0.5)))

    def figures(self) -> list[Figure]:
        """The medians, each beside its limit."""
        mode, lock = "PostgreSQL", "one transaction with a row lock for each call"
        calls, commit = f"redemptions: calls/s at {CONNECTIONS} connections", "pgbench one-row commits/s"
        wallet = f"redemptions: p50 of a wallet of {MANY:,} lots / of 10 lots"
        page = "member's page under a customer token: p50 / a read by primary key over HTTP"
        return [
            figure(f"{calls} / {lock}", mode, "calls/s", self.spread, floor=0.5),
            figure(f"{calls} / {commit}", mode, "calls/s", self.spread_commits, floor=0.03),
            figure(f"{calls}, all in one programme / {lock}", mode, "calls/s", self.one, floor=0.5),
            figure(f"{calls}, all in one programme / {commit}", mode, "calls/s", self.one_commits, floor=0.03),
            figure(wallet, mode, "ms", self.wallets, floor=2, lower_is_better=True),
            figure(page, mode, "ms", self.pages, lower_is_better=True),
        ]


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """Loyalty alone in a process, sixteen programmes of sixty-five members each."""
    rounds = _Rounds()
    async with served("product", server, "serve_members") as product, served("bare", server, "serve_members") as bare:
        house = _House(product, bare)
        await house.redeemed(WARM, programmes=16)
        await house.locked(WARM)
        for _ in range(ROUNDS):
            await rounds.run(house, commits(server, server_pid))
    return rounds.figures()
